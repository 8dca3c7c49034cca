"""Texts to vectors: the encoder that `SONIK_EMBEDDER` names, loaded once a process.

Any encoder gives unit vectors, so that cosine and dot product agree. What the weights are and how the
graph is built is `minilm.py`; which texts are embedded is decided by the stages.
"""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from resources import minilm
from resources.errors import TerminalError

if TYPE_CHECKING:
    from resources.settings import Settings

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimension), each row of length 1."""

BATCH_TOKENS = 512
"""Tokens a batch, padding included: on 2 cores 256 to 1,024 are equally fast, 4,096 is 12 % slower."""


class Embedded(NamedTuple):
    """Vectors in the order of the texts, and how many of the texts were cut to the model's length."""

    vectors: Vectors
    truncated: int


class Encoder(Protocol):
    """A sentence encoder. `model_id` changes whenever the same text would get another vector."""

    model_id: str
    dimension: int
    max_tokens: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order."""
        ...

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the texts' unit vectors in order, with the count of texts that were cut."""
        ...


def encoder(settings: "Settings") -> Encoder:
    """Return the process's encoder; raises TerminalError for an unknown name or missing or wrong weights."""
    if settings.embedder != "minilm":
        raise TerminalError(f"SONIK_EMBEDDER={settings.embedder} is not known: unset it or use 'minilm'")
    return _minilm(settings.home / "models")


@lru_cache(maxsize=2)
def _minilm(models: Path) -> "MiniLM":
    return MiniLM(models, minilm.folder())


class MiniLM:
    """all-MiniLM-L6-v2 on onnxruntime: English first, 384 dimensions, texts cut at 256 tokens."""

    model_id = f"all-MiniLM-L6-v2@{minilm.SHA256['model.safetensors'][:8]}"
    dimension = minilm.DIMENSION
    max_tokens = minilm.MAX_TOKENS

    def __init__(self, models: Path, model: Path) -> None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(minilm.verified("tokenizer.json", model)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        self._tokenizer = tokenizer
        self._session = _session(minilm.graph(models, model))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order; an empty text has the vector of the empty sentence."""
        return self.embed(texts).vectors

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed longest first, so that a batch holds texts of one length and almost no padding."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        for batch in _batches([len(encoding.ids) for encoding in encodings]):
            vectors[batch] = self._run([encodings[i].ids for i in batch])
        return Embedded(vectors, sum(bool(encoding.overflowing) for encoding in encodings))

    def _run(self, ids: list[list[int]]) -> Vectors:
        tokens = np.zeros((len(ids), len(ids[0])), np.int32)
        mask = np.zeros_like(tokens)
        for row, line in enumerate(ids):
            tokens[row, : len(line)] = line
            mask[row, : len(line)] = 1
        (vectors,) = self._session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})
        result: Vectors = vectors
        return result


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Yield indexes of the texts, longest first, each batch within BATCH_TOKENS or a single text."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _session(graph: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.log_severity_level = 3
    # Spinning threads would take the cores from PostgreSQL and Redis between two batches.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
