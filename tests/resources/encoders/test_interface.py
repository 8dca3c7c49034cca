from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.encoders import encoder
from resources.encoders.interface import bounded, checked, overlong
from resources.errors import TerminalError
from resources.settings import Settings

ONE = np.eye(1, 384, dtype=np.float32)


@given(st.lists(st.floats(1e-3, 1e18), min_size=1, max_size=5))
def test_vectors_come_out_at_length_1_and_keep_their_direction(lengths: list[float]) -> None:
    given = np.random.default_rng(1).normal(size=(len(lengths), 384)).astype(np.float32)
    found = checked(given * np.array(lengths, np.float32)[:, None], len(lengths))
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert (found * given).sum(1) == pytest.approx(np.linalg.norm(given, axis=1), rel=1e-4)


@pytest.mark.parametrize(
    ("vectors", "count"),
    [(ONE, 2), (ONE[:, :383], 1), (ONE[0], 1), ([], 1), ([[1.0], [1.0, 2.0]], 2), ([["a"] * 384], 1), (ONE, 0)],
)
def test_another_shape_is_refused(vectors: object, count: int) -> None:
    with pytest.raises(TerminalError, match="nothing was written"):
        checked(vectors, count)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_what_is_not_finite_is_refused(bad: float | None) -> None:
    vectors = [ONE[0].tolist(), [bad, *[0.0] * 383]]
    with pytest.raises(TerminalError, match="1 of 2 vectors that are not finite"):
        checked(vectors, 2)


def test_a_vector_without_direction_is_refused() -> None:
    with pytest.raises(TerminalError, match="no direction"):
        checked(np.zeros((1, 384)), 1)


def test_no_texts_have_no_vectors() -> None:
    assert checked([], 0).shape == (0, 384)


@given(st.lists(st.text(st.characters(), max_size=30)), st.integers(1, 20))
def test_texts_are_cut_to_what_is_looked_at_and_can_be_written(texts: list[str], characters: int) -> None:
    found = bounded(texts, characters)
    assert [len(text) for text in found.texts] == [min(len(text), characters) for text in texts]
    assert found.cut == [len(text) > characters for text in texts]
    "".join(found.texts).encode()


def test_only_what_may_be_too_long_is_counted() -> None:
    def ask(texts: list[str]) -> list[bool]:
        assert texts == ["a b c d", "abcdefg"]
        return [True, False]

    assert overlong(["a", "a b c d", "abc", "abcdefg"], 4, ask) == [False, True, False, False]
    assert overlong(["a"], 4, ask) == [False]


def test_an_unknown_encoder_is_named() -> None:
    with pytest.raises(TerminalError, match="SONIK_EMBEDDER=word2vec"):
        encoder(replace(Settings.from_env({}), embedder="word2vec"))


@pytest.mark.parametrize(
    ("env", "asked"),
    [({}, "SONIK_EMBEDDER_URL"), ({"SONIK_EMBEDDER_URL": "http://127.0.0.1:1/v1"}, "SONIK_EMBEDDER_MODEL")],
)
def test_an_endpoint_needs_its_address_and_a_model(env: dict[str, str], asked: str) -> None:
    with pytest.raises(TerminalError, match=asked):
        encoder(Settings.from_env({"SONIK_EMBEDDER": "http", **env}))


def test_the_key_is_not_in_the_settings_repr() -> None:
    found = Settings.from_env({"SONIK_EMBEDDER_KEY": "sk-secret"})
    assert found.embedder_key == "sk-secret"
    assert "sk-secret" not in repr(found)
