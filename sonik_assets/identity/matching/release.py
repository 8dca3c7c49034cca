"""`python -m sonik_assets.identity.matching.release KIND FILE.parquet`: trains the matcher that the package carries.

FILE holds records in PROFILES. Only the file is written; how the sample was made is told in docs/matching.md.
"""

import argparse
from pathlib import Path

import polars as pl

from resources.errors import TerminalError
from sonik_assets.identity.matching.kinds import KINDS
from sonik_assets.identity.matching.model import learn

RELEASED = Path(__file__).parent / "released"


def main() -> None:
    """Train on the file and write the payload beside this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("records", type=Path)
    chosen = parser.parse_args()
    print(release(pl.read_parquet(chosen.records), chosen.kind))


def release(records: pl.DataFrame, kind: str) -> str:
    """Write the matcher trained on the records and return its version; few records leave it near its start.

    Raises TerminalError where no two records are candidates.
    """
    matcher = learn(records, kind)
    if matcher is None:
        raise TerminalError(f"no candidate pairs of {kind} among {records.height} records: give more records")
    RELEASED.mkdir(exist_ok=True)
    (RELEASED / f"{kind}.bin").write_bytes(matcher.payload())
    return matcher.version


if __name__ == "__main__":
    main()
