import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.encoders import Encoder, encoder, minilm
from resources.encoders.onnx import BATCH_TOKENS, MiniLM, batches
from resources.errors import TerminalError
from resources.settings import Settings

# The first components that a plain-operator graph of the same weights gives (no fused operators).
SENTENCE = "Noche de techno en Club Niceto, Buenos Aires"
REFERENCE = [-0.0035729, -0.0409520, 0.0119189, -0.0194746, -0.0319536, 0.0115429, 0.0612063, 0.0244024]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def model(home: Path) -> Encoder:
    return encoder(replace(Settings.from_env({}), home=home))


def test_vectors_are_those_of_the_reference(model: Encoder) -> None:
    (vector,) = model.encode([SENTENCE])
    assert vector[:8].tolist() == pytest.approx(REFERENCE, abs=2e-5)


def test_vectors_are_unit_length_and_float32(model: Encoder) -> None:
    vectors = model.encode([SENTENCE, "", "a", "palabra " * 400])
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert model.encode([]).shape == (0, 384)


def test_order_and_batch_do_not_matter(model: Encoder) -> None:
    texts = [f"{'concierto ' * (n % 9)}número {n}" for n in range(60)]
    together = model.encode(texts)
    alone = np.vstack([model.encode([text]) for text in texts[:12]])
    assert np.abs(together[:12] - alone).max() < 1e-5
    assert np.abs(model.encode(texts[::-1])[::-1] - together).max() < 1e-5


def test_a_paraphrase_is_closer_than_another_subject(model: Encoder) -> None:
    asked, same, other = model.encode(["clubs in Buenos Aires", "nightclubs in Buenos Aires", "tax law in Lima"])
    assert asked @ same > 0.8 > 0.4 > asked @ other


def test_long_texts_are_cut_and_counted(model: Encoder) -> None:
    long = "palabra " * 400
    done = model.embed(["corto", long, long + "otra"])
    assert done.truncated == 2
    assert np.allclose(done.vectors[1], done.vectors[2], atol=1e-6)


def test_one_encoder_a_process(home: Path, model: Encoder) -> None:
    assert encoder(replace(Settings.from_env({}), home=home)) is model


def test_wrong_weights_are_refused_and_no_graph_is_left(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    shutil.copy(minilm.folder() / "tokenizer.json", copy)
    (copy / "model.safetensors").write_bytes(b"not the weights")
    with pytest.raises(TerminalError, match="is not the pinned model"):
        MiniLM(tmp_path / "models", copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(TerminalError, match="make setup"):
        MiniLM(tmp_path / "models", copy)
    assert not (tmp_path / "models").exists()


def test_a_missing_package_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(TerminalError, match="make setup"):
        minilm.folder()


def test_processes_that_build_the_graph_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from resources.encoders import minilm;"
    code += "minilm.graph(Path(sys.argv[1]), minilm.folder())"
    builds = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [build.wait(60) for build in builds] == [0, 0]
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > 80_000_000
    MiniLM(tmp_path, minilm.folder())


def test_an_enormous_text_costs_no_more_than_what_is_read(model: Encoder) -> None:
    short, enormous = model.embed(["palabra " * 400]), model.embed(["palabra " * 1_250_000])
    assert (short.truncated, enormous.truncated) == (1, 1)
    assert np.allclose(short.vectors, enormous.vectors, atol=1e-6)


def test_a_text_that_no_encoding_can_carry_is_embedded(model: Encoder) -> None:
    assert np.allclose(model.encode(["a noite \ud83d"]), model.encode(["a noite ?"]), atol=1e-6)


def test_it_says_what_it_is(model: Encoder) -> None:
    said = (model.model_id, model.dimension, model.max_tokens, model.languages)
    assert said == ("all-MiniLM-L6-v2@53aa5117", 384, 256, ("en",))


def test_a_broken_graph_says_what_to_do(tmp_path: Path, home: Path, model: Encoder) -> None:
    (graph,) = (home / "models").glob("*.onnx")
    (tmp_path / graph.name).write_bytes(graph.read_bytes()[:1_000_000])
    with pytest.raises(TerminalError, match="delete it"):
        MiniLM(tmp_path, minilm.folder())


@given(st.lists(st.text(max_size=40), max_size=8))
@settings(max_examples=15)
def test_batching_keeps_the_order_whatever_the_lengths(model: Encoder, texts: list[str]) -> None:
    together = model.encode(texts)
    for vector, text in zip(together, texts, strict=True):
        assert vector @ model.encode([text])[0] > 0.99999


@given(st.lists(st.integers(1, 256), max_size=200))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int]) -> None:
    made = list(batches(lengths))
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    for batch in made:
        longest = lengths[batch[0]]
        assert all(lengths[i] <= longest for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= BATCH_TOKENS
