"""What every encoder of texts is, and what every encoder does alike: bound its input, check its output.

Which encoder is used is decided in `__init__.py`; each has a module of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from resources.errors import TerminalError

DIMENSION = 384
"""Length of a vector in every table and in the cache."""

CHARACTERS = 64
"""Characters a token of a text that are looked at, at most: tokenizers want time and memory for all that they get."""

Vectors = npt.NDArray[np.float32]
"""Shape (texts, 384), each row of length 1."""


class Embedded(NamedTuple):
    """Vectors in the order of the texts, and how many of the texts were cut to what the model reads."""

    vectors: Vectors
    truncated: int


class Encoder(Protocol):
    """A sentence encoder. Safe to use from several threads.

    `model_id` names model and revision: it changes whenever the same text would get another vector.
    `max_tokens` is what is read of a text. `languages` are ISO 639 codes, `mul` for many; empty where not known.
    """

    model_id: str
    dimension: int
    max_tokens: int
    languages: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order; raises as `embed` does."""
        ...

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the texts' unit vectors in order, with the count of texts that were cut.

        Raises TerminalError where a text is refused or what comes back are not that many finite vectors of 384
        dimensions, TransientError where trying again later may help.
        """
        ...


class Bounded(NamedTuple):
    """Texts as a tokenizer may have them, and which of them were cut for that."""

    texts: list[str]
    cut: list[bool]


def bounded(texts: Sequence[str], characters: int) -> Bounded:
    """Cut what no model reads to its end, and replace what no encoding can carry (half of a surrogate pair)."""
    return Bounded([_encodable(text[:characters]) for text in texts], [len(text) > characters for text in texts])


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def overlong(texts: list[str], tokens: int, ask: Callable[[list[str]], Iterable[bool]]) -> list[bool]:
    """Say of each text whether it has more tokens than that; `ask` counts those of texts that may.

    No token is shorter than a byte, so short texts are not tokenized twice.
    """
    asked = [i for i, text in enumerate(texts) if len(text.encode()) >= tokens]
    long = [False] * len(texts)
    if asked:
        for i, found in zip(asked, ask([texts[i] for i in asked]), strict=True):
            long[i] = found
    return long


def checked(vectors: npt.ArrayLike, count: int) -> Vectors:
    """Return the vectors of so many texts at length 1; raises TerminalError for any that cannot be stored."""
    found = _array(vectors)
    if count == 0 and found.size == 0:
        return np.empty((0, DIMENSION), np.float32)
    if found.shape != (count, DIMENSION):
        raise TerminalError(
            f"the encoder returned vectors of shape {found.shape}, not {(count, DIMENSION)}: nothing was written; "
            f"use a model of {DIMENSION} dimensions (SONIK_EMBEDDER_MODEL)"
        )
    # In float64: the square of a large float32 is infinite.
    lengths = np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True)
    bad = int((~np.isfinite(lengths) | (lengths == 0)).sum())
    if bad:
        raise TerminalError(
            f"the encoder returned {bad} of {count} vectors that are not finite or have no direction: "
            "nothing was written; look at the model or the endpoint that makes them"
        )
    return (found / lengths).astype(np.float32)


def _array(vectors: npt.ArrayLike) -> Vectors:
    try:
        return np.asarray(vectors, np.float32)
    except (ValueError, TypeError) as error:
        raise TerminalError(f"the encoder returned no array of vectors ({error}): nothing was written") from error


def dimension_known(model: str, dimension: int | None) -> None:
    """Refuse a model of another dimension before any text is embedded."""
    if dimension != DIMENSION:
        raise TerminalError(
            f"{model} makes vectors of {dimension} dimensions and the tables hold {DIMENSION}: "
            f"set SONIK_EMBEDDER_MODEL to a model of {DIMENSION} dimensions"
        )


def first_line(error: Exception) -> str:
    """Return the beginning of what a library says at length."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def cannot_load(model: str, error: Exception) -> TerminalError:
    """Return what is raised where a library cannot load a model."""
    return TerminalError(
        f"the model {model} cannot be loaded ({first_line(error)}): check SONIK_EMBEDDER_MODEL, "
        "or load it once where the model hub can be reached"
    )
