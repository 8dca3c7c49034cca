"""Any model of 384 dimensions that the library fastembed runs (extra `fastembed`).

The library decides about pooling and files; here it is loaded, named, batched by length, bounded and checked.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resources.encoders.interface import (
    CHARACTERS,
    DIMENSION,
    Embedded,
    Vectors,
    bounded,
    cannot_load,
    checked,
    dimension_known,
    overlong,
)
from resources.errors import TerminalError

if TYPE_CHECKING:
    from fastembed import TextEmbedding

BATCH = 16
"""Texts a batch: the memory of one grows with the square of its longest text."""
LANGUAGES = {"english": "en", "chinese": "zh", "german": "de", "spanish": "es", "multilingual": "mul"}
"""As the library's descriptions of its models name them."""


class FastEmbed:
    """A model of the library's list, by its name there. A text's own prompt (`query: `) is not added."""

    dimension = DIMENSION

    def __init__(self, model: str, models: Path) -> None:
        self._model = _loaded(model, models)
        self._tokenizer = self._model.model.tokenizer
        self.max_tokens: int = self._tokenizer.truncation["max_length"]
        description = self._model.model.model_description.description.lower()
        self.languages = tuple(code for word, code in LANGUAGES.items() if word in description)
        self.model_id = f"fastembed:{model}@{_fingerprint(self._model)}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order."""
        return self.embed(texts).vectors

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed longest first: the library pads each batch to its longest text."""
        given, cut = bounded(texts, self.max_tokens * CHARACTERS)
        order = sorted(range(len(given)), key=lambda i: -len(given[i]))
        found = checked(list(self._model.embed([given[i] for i in order], BATCH)), len(given))
        vectors = np.empty_like(found)
        vectors[order] = found
        long = overlong(given, self.max_tokens, self._longer)
        return Embedded(vectors, sum(a or b for a, b in zip(cut, long, strict=True)))

    def _longer(self, texts: list[str]) -> Iterable[bool]:
        return (bool(encoding.overflowing) for encoding in self._tokenizer.encode_batch(texts))


def _loaded(model: str, models: Path) -> "TextEmbedding":
    try:
        from fastembed import TextEmbedding
    except ImportError as error:
        raise TerminalError("SONIK_EMBEDDER=fastembed but the library is missing: install sonik[fastembed]") from error
    try:
        # Before anything is downloaded.
        dimension_known(model, TextEmbedding.get_embedding_size(model))
        return TextEmbedding(model, cache_dir=str(models), threads=len(os.sched_getaffinity(0)))
    except (OSError, ValueError, RuntimeError) as error:
        raise cannot_load(model, error) from error


def _fingerprint(model: "TextEmbedding") -> str:
    """Return a hash of the model's files: the same name can come to mean others. The folder is told nowhere else."""
    digest = hashlib.sha256()
    folder: Path = model.model._model_dir
    for path in sorted(folder.rglob("*.onnx*")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
