"""The whole platform on the sample: first run, second run, the import of the definitions, memory of any process."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.metrics import Metric
from resources import embedded
from resources.settings import ROOT, Settings

IMPORTS = {"yardstick": "import dagster, dagster_dbt", "definitions": "import sonik_assets.definitions"}


def run(scale: int) -> list[Metric]:
    """Measure in a home of its own, whose servers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        home, exports = Path(folder) / "home", ROOT / "sample_data"
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        if scale != 1:
            exports = Path(folder) / "exports"
            generate = ["-m", "sample_data.generator", "--scale", str(scale), "--out", str(exports)]
            subprocess.run([sys.executable, *generate], check=True, cwd=ROOT)
        environment = {**os.environ, "SONIK_HOME": str(home), "SONIK_EXPORTS": str(exports)}
        settings = replace(Settings.from_env({"SONIK_HOME": str(home)}), exports=exports)
        try:
            return _measure(settings, environment)
        finally:
            embedded.delete(settings)


def _measure(settings: Settings, environment: dict[str, str]) -> list[Metric]:
    embedded.up(settings)  # warm: set up, servers running
    with Memory(settings.home) as memory:
        warm = _demo(environment)
        again = _demo(environment)
    report = json.loads((settings.home / "demo_report.json").read_text())
    if report["written"] != {"rows": 0, "graph_writes": 0, "lance_versions": 0}:
        raise RuntimeError(f"the second run wrote something: {report['written']}")
    bare, definitions = (_import(IMPORTS[name]) for name in ("yardstick", "definitions"))
    return [
        Metric("demo_warm_seconds", warm, "s"),
        Metric("demo_again_seconds", again, "s", yardstick=warm),
        Metric("import_seconds", definitions, "s", yardstick=bare),
        Metric("peak_mb", memory.peak_mb, "MB"),
    ]


def _demo(environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([str(Path(sys.executable).with_name("sonik")), "demo"], check=True, env=environment, cwd=ROOT)
    return time.perf_counter() - started


def _import(statement: str, times: int = 3) -> float:
    """Return the least seconds of a process that runs the statement."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT)
        found.append(time.perf_counter() - started)
    return min(found)


class Memory:
    """Samples the resident memory of this process's children and of the home's servers; keeps the largest."""

    def __init__(self, home: Path) -> None:
        self.home, self.peak_mb, self._done = str(home), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            for process in [*psutil.Process().children(recursive=True), *self._servers()]:
                with suppress(psutil.Error):
                    self.peak_mb = max(self.peak_mb, process.memory_info().rss / 2**20)

    def _servers(self) -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline"])
        return [p for p in found if any(self.home in part for part in p.info["cmdline"] or [])]
