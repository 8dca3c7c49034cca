"""How fast texts become vectors: ours against bare onnxruntime, and against sentence-transformers.

`embed_vs_onnxruntime`: text in, vectors out, against a session of onnxruntime with its own defaults that is handed the
same batches of tokens. `embed_vs_sentence_transformers`: the same weights and texts on the same CPU, in the Python that
SONIK_BENCH_SENTENCE_TRANSFORMERS names, or in this one where the extra is installed. The two sides take turns, so that
what else the machine does meets both.
"""

import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.metrics import Metric
from resources.encoders import minilm
from resources.encoders.onnx import MiniLM, batches, padded

SAMPLE = Path(__file__).parent.parent / "sample_data" / "directus"
TEXTS = 100
ROUNDS = 11
PYTHON = "SONIK_BENCH_SENTENCE_TRANSFORMERS"

# Reads a folder and the texts, then embeds them once for each line that it is sent, and says how long that took.
OTHER = """
import json, sys, time
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = json.loads(sys.stdin.readline())
model.encode(texts[:64], show_progress_bar=False)
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    print(time.perf_counter() - start, flush=True)
"""


def measures(scale: int) -> Iterator[Metric]:
    """Yield texts a second beside those of each yardstick; the best of ROUNDS rounds."""
    texts = sample(TEXTS * scale)
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        model = MiniLM(Path(folder), minilm.folder())
        bare = _bare(minilm.graph(Path(folder), minilm.folder()), texts)
        yield _compared("embed_vs_onnxruntime", len(texts), lambda: model.encode(texts), bare)
        with _other(texts) as other:
            if other:
                yield _compared("embed_vs_sentence_transformers", len(texts), lambda: model.encode(texts), other)


def sample(count: int) -> list[str]:
    """Return so many texts in Spanish and Portuguese: of the sample's events and articles, then of pairs of them."""
    events, articles = _rows("events"), _rows("articles")
    texts = [". ".join(filter(None, (row["name"].strip(), row.get("description")))) for row in events]
    texts += [f"{row['title']}. {row['body']}" for row in articles]
    texts = sorted(set(texts))
    pairs = (f"{texts[i % len(texts)]} {texts[(i * 7 + i // len(texts)) % len(texts)]}" for i in range(count * 2))
    return list(dict.fromkeys([*texts, *pairs]))[:count]


def _rows(name: str) -> list[dict[str, Any]]:
    """Return the records that say what they are: some of the sample are broken, as real ones are."""
    with gzip.open(SAMPLE / f"{name}.ndjson.gz", "rt", errors="replace") as lines:
        rows = [json.loads(line, strict=False) for line in lines if line.startswith("{") and line.endswith("}\n")]
    return [row for row in rows if row.get("name") or row.get("title")]


def _compared(metric: str, count: int, ours: Callable[[], object], yardstick: Callable[[], object]) -> Metric:
    """Run both once unmeasured, then in turns, each first every other round; the best round of each counts.

    What else the machine does only ever adds to a round: medians of short rounds tell its load, not the code's speed.
    """
    ours(), yardstick()
    mine, other = [], []
    for turn in range(ROUNDS):
        for work, seconds in [(ours, mine), (yardstick, other)][:: 1 if turn % 2 else -1]:
            seconds.append(_seconds(work))
    return Metric(metric, count / min(mine), "texts/s", count / min(other))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bare(graph: Path, texts: list[str]) -> Callable[[], object]:
    """Return what runs the graph over our batches, tokens made before the clock runs, in a session as it comes."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm.verified("tokenizer.json", minilm.folder())))
    tokenizer.no_padding()
    tokenizer.enable_truncation(minilm.MAX_TOKENS)
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    given = [padded([ids[i] for i in batch]) for batch in batches([len(line) for line in ids])]
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return lambda: [session.run(None, batch) for batch in given]


@contextmanager
def _other(texts: list[str]) -> Iterator[Callable[[], object] | None]:
    """Return what has sentence-transformers embed the texts in a process that is loaded; None where it is not there."""
    python = os.environ.get(PYTHON) or (sys.executable if importlib.util.find_spec("sentence_transformers") else None)
    if python is None:
        print(f"embed_vs_sentence_transformers is left out: install the extra, or set {PYTHON} to a Python that has it")
        yield None
        return
    command = [python, "-c", OTHER, str(minilm.folder())]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:

        def ask(line: str) -> str:
            assert process.stdin
            assert process.stdout
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return process.stdout.readline()

        if ask(json.dumps(texts)) != "ready\n":
            raise RuntimeError(f"{python} does not run sentence-transformers: unset {PYTHON}, or install it there")
        yield lambda: ask("again")
