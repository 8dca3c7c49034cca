"""Any model behind an HTTP API that speaks OpenAI's `/embeddings`: theirs, vLLM, Ollama, text-embeddings-inference.

Here: what is asked and what answers mean. Not here: retries, waits and connections (resources/http.py).
"""

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

import msgspec
import numpy as np

from resources import http
from resources.encoders.interface import DIMENSION, Embedded, Vectors, bounded, checked
from resources.errors import TerminalError

BATCH = 32
"""Texts a request: what text-embeddings-inference takes unless told otherwise; others take more."""
CONNECTIONS = 4
MAX_TOKENS = 512
CHARACTERS = 4
"""A token. The endpoint's tokenizer is not known here; one that reads less cuts, or refuses, by itself."""
SHOWN = 300
"""Characters of the endpoint's own words in a message."""


class Endpoint:
    """One model of an endpoint. Languages are not known; a change behind the same name is not seen."""

    dimension = DIMENSION
    max_tokens = MAX_TOKENS
    languages: tuple[str, ...] = ()

    def __init__(self, url: str | None, model: str | None, key: str | None, **options: Any) -> None:
        """Connect to nothing yet; the options are those of `http.Client`."""
        if not url:
            raise TerminalError("SONIK_EMBEDDER=http needs SONIK_EMBEDDER_URL: the address before /embeddings")
        if not model:
            raise TerminalError("SONIK_EMBEDDER=http needs SONIK_EMBEDDER_MODEL: the name the endpoint knows it by")
        self.model_id = f"http:{model}"
        self._name = model
        self._dimensions: dict[str, int] = {"dimensions": DIMENSION}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._api = _Api("embedder", url, headers, verdict=judge(key), connections=CONNECTIONS, **options)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' unit vectors in order."""
        return self.embed(texts).vectors

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Ask for several batches at once; an empty text is sent as it is, and some endpoints refuse it."""
        given, cut = bounded(texts, self.max_tokens * CHARACTERS)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            found = list(pool.map(self._batch, batched(given, BATCH)))
        return Embedded(np.concatenate([checked([], 0), *found]), sum(cut))

    def _batch(self, texts: tuple[str, ...]) -> Vectors:
        try:
            return self._ask(texts)
        except http.Refused as error:
            # vLLM, for one, refuses the parameter for a model that has one dimension only.
            if not (self._dimensions and re.search(rb"dimensions|matryoshka", error.body)):
                raise
            self._dimensions = {}
            return self._ask(texts)

    def _ask(self, texts: tuple[str, ...]) -> Vectors:
        asked = {"model": self._name, "input": texts, **self._dimensions}
        return checked(_in_order(self._api.embeddings(asked), len(texts)), len(texts))


class _Api(http.Client):
    """The one request that is no GET: it computes, and changes nothing."""

    def embeddings(self, asked: Mapping[str, Any]) -> Any:
        """Return the answer's JSON; NaN and Infinity, which some write, are let through to be counted."""
        return self._ask("POST", "/embeddings", "", msgspec.json.encode(asked), json.loads)


def _in_order(answer: Any, count: int) -> list[Any]:
    """Return the vectors in the order of the texts, which is told by `index` alone."""
    try:
        vectors = {each["index"]: each["embedding"] for each in answer["data"]}
        entries = len(answer["data"])
    except (TypeError, KeyError) as error:
        raise TerminalError(
            "embedder: its answer is not one of OpenAI's /embeddings: nothing was written; check SONIK_EMBEDDER_URL"
        ) from error
    if entries != count or sorted(vectors) != list(range(count)):
        raise TerminalError(
            f"embedder: it was asked for {count} vectors and answered with {entries}, "
            f"of which {len(vectors.keys() & set(range(count)))} belong to a text: nothing was written"
        )
    return [vectors[index] for index in range(count)]


def judge(key: str | None) -> http.Judge:
    """Return the verdict on the endpoint's answers. Its messages are shown, without the key should they hold it."""

    def verdict(status: int, headers: Mapping[str, str], body: bytes) -> http.Verdict:
        said = f"HTTP {status}: {_said(body, key)}"
        match status:
            case 200:
                return http.FINE
            case 401 | 403:
                return http.terminal(f"{said}; check SONIK_EMBEDDER_KEY")
            case 404 | 405:
                return http.terminal(f"{said}; check SONIK_EMBEDDER_URL and SONIK_EMBEDDER_MODEL")
            case 429 if b"insufficient_quota" in body:
                return http.later(f"{said}; the account's quota is used up")
            case 429:
                return http.wait(http.retry_after(headers), "its rate limit is reached")
            case 408 | 409 | 425:
                return http.transient(said)
        if status >= 500:
            return http.transient(said)
        return http.terminal(f"{said}; nothing was written")

    return verdict


def _said(body: bytes, key: str | None) -> str:
    text = " ".join(body.decode(errors="replace").split())
    # Before it is cut: a part of the key must not stay.
    return (text.replace(key, "***") if key else text)[:SHOWN] or "no message"
