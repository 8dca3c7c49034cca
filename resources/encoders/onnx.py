"""The default encoder: all-MiniLM-L6-v2 on onnxruntime, batched by length.

What the weights are and how the graph is built is `minilm.py`.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resources.encoders import minilm
from resources.encoders.interface import CHARACTERS, DIMENSION, Embedded, Vectors, bounded, checked
from resources.errors import TerminalError

BATCH_TOKENS = 512
"""Tokens a batch, padding included: on 2 cores 256 to 1,024 are equally fast, 4,096 is 12 % slower."""


class MiniLM:
    """English first, 384 dimensions, texts cut at 256 tokens. An empty text has the empty sentence's vector."""

    model_id = f"all-MiniLM-L6-v2@{minilm.SHA256['model.safetensors'][:8]}"
    dimension = DIMENSION
    max_tokens = minilm.MAX_TOKENS
    languages: tuple[str, ...] = ("en",)

    def __init__(self, models: Path, model: Path) -> None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(minilm.verified("tokenizer.json", model)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        self._tokenizer = tokenizer
        self._session = _session(minilm.graph(models, model))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order."""
        return self.embed(texts).vectors

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed longest first, so that a batch holds texts of one length and almost no padding."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        given, cut = bounded(texts, self.max_tokens * CHARACTERS)
        encodings = self._tokenizer.encode_batch_fast(given)
        for batch in batches([len(encoding.ids) for encoding in encodings]):
            vectors[batch] = self._run([encodings[i].ids for i in batch])
        truncated = sum(short or bool(each.overflowing) for short, each in zip(cut, encodings, strict=True))
        return Embedded(checked(vectors, len(texts)), truncated)

    def _run(self, ids: list[list[int]]) -> Vectors:
        (vectors,) = self._session.run(["embedding"], padded(ids))
        result: Vectors = vectors
        return result


def padded(ids: list[list[int]]) -> dict[str, Any]:
    """Return the graph's inputs for one batch, whose first text is its longest: int32 (texts, tokens) each."""
    tokens = np.zeros((len(ids), len(ids[0])), np.int32)
    mask = np.zeros_like(tokens)
    for row, line in enumerate(ids):
        tokens[row, : len(line)] = line
        mask[row, : len(line)] = 1
    return {"input_ids": tokens, "attention_mask": mask}


def batches(lengths: list[int]) -> Iterator[list[int]]:
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
    from onnxruntime.capi import onnxruntime_pybind11_state as problems

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.log_severity_level = 3
    # Spinning threads would take the cores from PostgreSQL and Redis between two batches.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except (problems.InvalidProtobuf, problems.InvalidGraph, problems.Fail, problems.InvalidArgument) as error:
        raise TerminalError(f"{graph} cannot be loaded: delete it, and it is made again") from error
