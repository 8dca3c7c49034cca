"""Command line: `python -m sample_data.generator --scale 1 --out sample_data`."""

import argparse
import shutil
from pathlib import Path

from .build import build

FOLDERS = ("directus", "twenty", "mongo", "landing", "debezium", "agent", "truth")


def main() -> None:
    """Write the sample anew and print what it holds."""
    parser = argparse.ArgumentParser(prog="python -m sample_data.generator", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="people, events and engagement times this")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; its old exports are replaced")
    left_out = "engagement, transactions, tickets and agents' sessions"
    parser.add_argument("--without-engagement", action="store_true", help=f"leave out {left_out}")
    options = parser.parse_args()
    for folder in FOLDERS:
        shutil.rmtree(options.out / folder, ignore_errors=True)
    counts = build(options.scale, options.out, engagement=not options.without_engagement)
    for path in sorted(counts):
        print(f"{counts[path]:>8}  {path}")
    records = sum(n for path, n in counts.items() if not path.startswith("truth/"))
    print(f"{records:>8}  source records")


if __name__ == "__main__":
    main()
