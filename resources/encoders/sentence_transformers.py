"""Any model of 384 dimensions that the library sentence-transformers runs (extra `sentence-transformers`).

The library decides about device, batches and pooling; here it is loaded, named, bounded and checked.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    from sentence_transformers import SentenceTransformer

MAX_TOKENS = 512
"""Where the model does not say what it reads."""


class SentenceTransformers:
    """A model by its name at the hub, `name@revision`, or a folder. A text's own prompt (`query: `) is not added."""

    dimension = DIMENSION

    def __init__(self, model: str, models: Path) -> None:
        self._model = _loaded(model, models)
        dimension_known(model, self._model.get_embedding_dimension())
        self.max_tokens: int = self._model.max_seq_length or MAX_TOKENS
        self.languages = _languages(self._model.model_card_data.language)
        name = Path(model).name if Path(model).is_dir() else model.partition("@")[0]
        self.model_id = f"sentence-transformers:{name}@{_fingerprint(self._model)}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order."""
        return self.embed(texts).vectors

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed in batches of the library, which sorts them by length itself."""
        given, cut = bounded(texts, self.max_tokens * CHARACTERS)
        found = self._model.encode(given, show_progress_bar=False)
        long = overlong(given, self.max_tokens, self._longer)
        return Embedded(checked(found, len(given)), sum(a or b for a, b in zip(cut, long, strict=True)))

    def _longer(self, texts: list[str]) -> Iterable[bool]:
        found = self._model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        return (len(ids) > self.max_tokens for ids in found)


def _loaded(model: str, models: Path) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise TerminalError(
            "SONIK_EMBEDDER=sentence-transformers but the library is missing: install sonik[sentence-transformers]"
        ) from error
    name, _, revision = (model, "", "") if Path(model).is_dir() else model.partition("@")
    try:
        return SentenceTransformer(name, revision=revision or None, cache_folder=str(models))
    except (OSError, ValueError) as error:
        raise cannot_load(model, error) from error


def _fingerprint(model: "SentenceTransformer") -> str:
    """Return a hash of the weights: a name, even a revision's, can come to mean others."""
    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:8]


def _languages(found: str | list[str] | None) -> tuple[str, ...]:
    """Return what the model's card says: one language, several, "multilingual", or nothing."""
    named = [found] if isinstance(found, str) else found or []
    return tuple("mul" if each == "multilingual" else each for each in named)
