"""The HTTP encoder against a real server that answers as OpenAI's `/embeddings`. No wait is real."""

import hashlib
import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from resources.encoders.endpoint import BATCH, Endpoint
from resources.encoders.interface import Vectors
from resources.errors import TerminalError, TransientError
from tests.support.faults import Answer, Asked, ContractServer

KEY = "sk-test-5f0c"
Entries = list[dict[str, Any]]


def vector(text: str) -> list[float]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
    found: list[float] = np.random.default_rng(seed).normal(size=384).tolist()
    return found


def error(status: int, message: str, code: str = "error") -> Answer:
    return Answer(status, json.dumps({"error": {"message": message, "code": code}}).encode())


class Embeddings(ContractServer):
    """`spoil` changes the entries of each answer; `one_dimension` refuses the parameter, as vLLM does."""

    allowed = frozenset({"POST"})

    def __init__(self) -> None:
        super().__init__()
        self.spoil: Callable[[Entries], Entries] = lambda entries: entries
        self.one_dimension = False

    def respond(self, asked: Asked) -> Answer:
        if asked.path != "/v1/embeddings":
            return error(404, "no such route")
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, f"Incorrect API key provided: {asked.headers.get('Authorization')}")
        body = json.loads(asked.body)
        if self.one_dimension and "dimensions" in body:
            return error(400, "Model does not support matryoshka representation")
        if "" in body["input"]:
            return error(400, "input cannot be an empty string")
        entries = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
        return Answer(200, json.dumps({"object": "list", "data": self.spoil(entries), "model": body["model"]}).encode())


@pytest.fixture
def server() -> Iterator[Embeddings]:
    with Embeddings() as found:
        yield found


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def model(server: Embeddings, slept: list[float]) -> Endpoint:
    return Endpoint(f"{server.url}/v1", "multilingual-small", KEY, sleep=slept.append)


def expected(texts: list[str]) -> Vectors:
    found = np.array([vector(text) for text in texts])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_vectors_are_in_order_over_batches(server: Embeddings, model: Endpoint) -> None:
    texts = [f"concierto {n}" for n in range(BATCH * 3 + 1)]
    assert np.allclose(model.encode(texts), expected(texts), atol=1e-6)
    bodies = [json.loads(asked.body) for asked in server.requests]
    assert sorted(len(body["input"]) for body in bodies) == [1, BATCH, BATCH, BATCH]
    assert {(body["model"], body["dimensions"]) for body in bodies} == {("multilingual-small", 384)}


def test_nothing_is_asked_for_nothing(server: Embeddings, model: Endpoint) -> None:
    assert model.encode([]).shape == (0, 384)
    assert not server.requests


def test_order_is_told_by_the_index_alone(server: Embeddings, model: Endpoint) -> None:
    server.spoil = lambda entries: entries[::-1]
    assert np.allclose(model.encode(["uno", "dos", "tres"]), expected(["uno", "dos", "tres"]), atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entries: entries[:-1], "asked for 2 vectors and answered with 1"),
        (lambda entries: [*entries, entries[0]], "answered with 3"),
        (lambda entries: [{**each, "index": 0} for each in entries], "of which 1 belong"),
        (lambda entries: [{**each, "embedding": each["embedding"][:383]} for each in entries], "384 dimensions"),
        (lambda entries: [entries[0], {**entries[1], "embedding": entries[1]["embedding"][:5]}], "no array"),
        (lambda entries: [{**each, "embedding": [float("nan")] * 384} for each in entries], "2 of 2 .* not finite"),
        (lambda entries: [{**each, "embedding": [None] * 384} for each in entries], "not finite"),
        (lambda entries: [{"index": each["index"]} for each in entries], "not one of OpenAI's"),
    ],
)
def test_a_wrong_answer_is_refused(server: Embeddings, model: Endpoint, spoil: Any, said: str) -> None:
    server.spoil = spoil
    with pytest.raises(TerminalError, match=said) as caught:
        model.encode(["uno", "dos"])
    assert "nothing was written" in str(caught.value)
    assert len(server.requests) == 1


def test_a_rate_limit_is_waited_for(server: Embeddings, model: Endpoint, slept: list[float]) -> None:
    server.fail(Answer(429, b"{}", {"Retry-After": "7"}))
    assert np.allclose(model.encode(["uno"]), expected(["uno"]), atol=1e-6)
    assert slept == [pytest.approx(7, abs=0.5)]


def test_a_used_up_quota_is_not_waited_for(server: Embeddings, model: Endpoint, slept: list[float]) -> None:
    server.fail(error(429, "You exceeded your current quota", "insufficient_quota"))
    with pytest.raises(TransientError, match="quota is used up"):
        model.encode(["uno"])
    assert slept == []


def test_failures_pass_or_are_transient(server: Embeddings, model: Endpoint) -> None:
    server.fail(Answer(500), "reset", "half JSON")
    with pytest.raises(TransientError, match="failed 3 times"):
        model.encode(["uno"])
    server.fail(Answer(503), Answer(502))
    assert model.encode(["uno"]).shape == (1, 384)


def test_an_endpoint_whose_model_has_one_dimension_is_asked_without(server: Embeddings, model: Endpoint) -> None:
    server.one_dimension = True
    assert np.allclose(model.encode(["uno"]), expected(["uno"]), atol=1e-6)
    model.encode(["dos"])
    assert ["dimensions" in json.loads(asked.body) for asked in server.requests] == [True, False, False]


def test_what_the_endpoint_refuses_is_terminal_and_shown(model: Endpoint) -> None:
    with pytest.raises(TerminalError, match="input cannot be an empty string"):
        model.encode(["uno", ""])


def test_a_wrong_address_says_what_to_check(server: Embeddings) -> None:
    with pytest.raises(TerminalError, match="SONIK_EMBEDDER_URL"):
        Endpoint(server.url, "small", KEY).encode(["uno"])


def test_the_key_is_never_shown(server: Embeddings) -> None:
    model = Endpoint(f"{server.url}/v1", "small", "sk-other-11aa")
    with pytest.raises(TerminalError, match="SONIK_EMBEDDER_KEY") as caught:
        model.encode(["uno"])
    shown = "".join(traceback.format_exception(caught.value)) + repr(model) + model.model_id
    assert "sk-other" not in shown


def test_an_enormous_text_is_cut_and_counted(server: Embeddings, model: Endpoint) -> None:
    assert model.embed(["corto", "x" * 10_000_000]).truncated == 1
    assert len(server.requests[0].body) < 5_000
