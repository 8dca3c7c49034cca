"""Texts to vectors: the encoder that `SONIK_EMBEDDER` names, loaded once a process.

Here: the choice. Not here: which texts are embedded (the stages) and how a model runs (one module each).
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from resources.encoders.interface import DIMENSION, Embedded, Encoder, Vectors, checked
from resources.errors import TerminalError

if TYPE_CHECKING:
    from resources.settings import Settings

__all__ = ["DIMENSION", "MULTILINGUAL", "Embedded", "Encoder", "Vectors", "checked", "encoder"]

MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
"""What the libraries load where no model is named: 384 dimensions, and Spanish finds Portuguese."""


def encoder(settings: "Settings") -> Encoder:
    """Return the process's encoder; raises TerminalError for an unknown name, or where its model cannot be had."""
    model, url, key = settings.embedder_model, settings.embedder_url, settings.embedder_key
    return _loaded(settings.embedder, model, url, key, settings.home / "models")


@lru_cache(maxsize=4)
def _loaded(name: str, model: str | None, url: str | None, key: str | None, models: Path) -> Encoder:
    match name:
        case "minilm":
            from resources.encoders import minilm
            from resources.encoders.onnx import MiniLM

            return MiniLM(models, minilm.folder())
        case "sentence-transformers":
            from resources.encoders.sentence_transformers import SentenceTransformers

            return SentenceTransformers(model or MULTILINGUAL, models)
        case "fastembed":
            from resources.encoders.fastembed import FastEmbed

            return FastEmbed(model or MULTILINGUAL, models)
        case "http":
            from resources.encoders.endpoint import Endpoint

            return Endpoint(url, model, key)
    raise TerminalError(
        f"SONIK_EMBEDDER={name} is not known: unset it, or use minilm, sentence-transformers, fastembed or http"
    )
