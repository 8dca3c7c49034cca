"""The adapters of sentence-transformers and fastembed: against the library where its extra is installed (and the model
needs no download), and everywhere against a stand-in that takes exactly the calls that the libraries document.
"""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from resources.encoders import minilm
from resources.encoders.fastembed import FastEmbed
from resources.encoders.onnx import MiniLM
from resources.encoders.sentence_transformers import SentenceTransformers
from resources.errors import TerminalError

TEXTS = ["Noche de techno en Club Niceto", "", "forró em Recife", "palabra " * 400]


def vector(text: str, dimension: int = 384) -> Any:
    return np.random.default_rng(len(text)).normal(size=dimension).astype(np.float32)


class Weights:
    """A tensor, as far as it is asked."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def detach(self) -> "Weights":
        return self

    cpu = float = detach

    def numpy(self) -> Any:
        return np.array(self.values, np.float32)


class SentenceTransformer:
    """sentence-transformers 6.2."""

    dimension, weights = 384, (1.0, 2.0)

    def __init__(self, model: str, *, revision: str | None = None, cache_folder: str | None = None) -> None:
        if model == "no/such":
            raise OSError("no/such is not a model\nand much more")
        self.asked = (model, revision, cache_folder)
        self.max_seq_length = 128
        self.model_card_data = SimpleNamespace(language=["es", "multilingual"])

    def get_embedding_dimension(self) -> int:
        return self.dimension

    def state_dict(self) -> dict[str, Weights]:
        return {"layer": Weights(list(self.weights))}

    def encode(self, inputs: list[str], *, show_progress_bar: bool | None = None) -> Any:
        assert show_progress_bar is False
        return np.array([vector(text) for text in inputs])  # of shape (0,) for none, as the library's

    def tokenizer(self, texts: list[str], *, truncation: bool, verbose: bool) -> dict[str, list[list[int]]]:
        assert not truncation
        assert not verbose
        return {"input_ids": [[0] * (len(text.split()) + 2) for text in texts]}


class TextEmbedding:
    """fastembed 0.9."""

    folder: Path

    def __init__(self, model_name: str, cache_dir: str | None = None, threads: int | None = None) -> None:
        assert threads
        tokenizer = SimpleNamespace(truncation={"max_length": 128}, encode_batch=self._tokens)
        description = SimpleNamespace(description="Text embeddings, Multilingual (~50 languages), 128 tokens")
        self.model = SimpleNamespace(tokenizer=tokenizer, model_description=description, _model_dir=self.folder)

    @classmethod
    def get_embedding_size(cls, model_name: str) -> int:
        if model_name == "no/such":
            raise ValueError("Embedding size for model no/such was None")
        return 768 if "base" in model_name else 384

    @staticmethod
    def _tokens(texts: list[str]) -> list[Any]:
        return [SimpleNamespace(overflowing=[0] * (len(text.split()) > 126)) for text in texts]

    def embed(self, documents: list[str], batch_size: int = 256) -> Iterable[Any]:
        lengths = [len(text) for text in documents]
        assert lengths == sorted(lengths, reverse=True)
        yield from (3 * vector(text) for text in documents)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, kind in (("sentence_transformers", SentenceTransformer), ("fastembed", TextEmbedding)):
        module = ModuleType(name)
        setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)
    TextEmbedding.folder = tmp_path
    (tmp_path / "model.onnx").write_bytes(b"weights")


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("made", [SentenceTransformers, FastEmbed])
def test_vectors_are_in_order_at_length_1_and_long_texts_are_counted(made: Any, tmp_path: Path) -> None:
    found = made("org/small", tmp_path).embed(TEXTS)
    expected = np.array([vector(text) / np.linalg.norm(vector(text)) for text in TEXTS])
    assert np.allclose(found.vectors, expected, atol=1e-6)
    assert found.truncated == 1
    assert made("org/small", tmp_path).encode([]).shape == (0, 384)


@pytest.mark.usefixtures("stand_in")
def test_what_each_model_says_of_itself(tmp_path: Path) -> None:
    library, fast = SentenceTransformers("org/small@v2", tmp_path), FastEmbed("org/small", tmp_path)
    assert library._model.asked == ("org/small", "v2", str(tmp_path))  # type: ignore[attr-defined]
    assert library.model_id.startswith("sentence-transformers:org/small@")
    assert fast.model_id.startswith("fastembed:org/small@")
    assert (library.max_tokens, library.languages) == (128, ("es", "mul"))
    assert (fast.max_tokens, fast.languages) == (128, ("mul",))


@pytest.mark.usefixtures("stand_in")
def test_other_weights_of_the_same_name_are_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = SentenceTransformers("org/small", tmp_path).model_id, FastEmbed("org/small", tmp_path).model_id
    monkeypatch.setattr(SentenceTransformer, "weights", (1.0, 2.5))
    (tmp_path / "model.onnx").write_bytes(b"others")
    after = SentenceTransformers("org/small", tmp_path).model_id, FastEmbed("org/small", tmp_path).model_id
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.usefixtures("stand_in")
def test_another_dimension_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentenceTransformer, "dimension", 768)
    for made in (SentenceTransformers, FastEmbed):
        with pytest.raises(TerminalError, match="768 dimensions and the tables hold 384"):
            made("org/base", tmp_path)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("made", [SentenceTransformers, FastEmbed])
def test_a_model_that_cannot_be_had_says_what_to_do(made: Any, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match=r"no/such cannot be loaded .* SONIK_EMBEDDER_MODEL") as caught:
        made("no/such", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "library"), [(SentenceTransformers, "sentence_transformers"), (FastEmbed, "fastembed")]
)
def test_a_missing_library_names_the_extra(
    made: Any, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(TerminalError, match=rf"install sonik\[{library.replace('_', '-')}\]"):
        made("org/small", tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is None, reason="the extra is not installed")
def test_the_real_library_gives_the_vectors_of_onnxruntime(tmp_path: Path) -> None:
    theirs = SentenceTransformers(str(minilm.folder()), tmp_path).embed(TEXTS)
    ours = MiniLM(tmp_path, minilm.folder()).embed(TEXTS)
    assert theirs.truncated == ours.truncated == 1
    assert (theirs.vectors * ours.vectors).sum(1).min() > 0.99999


@pytest.mark.skipif(importlib.util.find_spec("fastembed") is None, reason="the extra is not installed")
def test_the_real_library_knows_what_is_asked_of_it(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="768 dimensions"):
        FastEmbed("BAAI/bge-base-en-v1.5", tmp_path)
