"""`make bench [ONLY=name] [SCALE=n]`: runs the benchmarks, prints their tables, writes `results/<name>.json`."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from benchmarks.metrics import Metric

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> None:
    """Run what was asked for; an unknown name is exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="one benchmark instead of all")
    parser.add_argument("--scale", type=int, default=1, help="size of the data; 1 is the sample")
    chosen = parser.parse_args()
    for name in [chosen.only] if chosen.only else NAMES:
        metrics = importlib.import_module(f"benchmarks.bench_{name}").run(chosen.scale)
        write(name, chosen.scale, metrics)
        show(name, chosen.scale, metrics)


def write(name: str, scale: int, metrics: list[Metric]) -> None:
    """Write the result where later runs and people find it."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    found = {"name": name, "scale": scale, "metrics": [metric.as_dict() for metric in metrics]}
    (folder / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")


def show(name: str, scale: int, metrics: list[Metric]) -> None:
    """Print the benchmark as a table."""
    metric = Column("metric", overflow="fold")
    table = Table(metric, "value", "unit", "yardstick", "ratio", title=f"{name}, scale {scale}", title_justify="left")
    for m in metrics:
        digits = 4 if m.unit == "share" else 2
        beside = "" if m.yardstick is None else f"{m.yardstick:,.{digits}f}"
        table.add_row(m.metric, f"{m.value:,.{digits}f}", m.unit, beside, "" if m.ratio is None else f"{m.ratio:.2f}")
    Console(file=sys.stdout).print(table)


if __name__ == "__main__":
    main()
