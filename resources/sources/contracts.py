"""The contract of each source table, from `contracts.toml`: which fields are known, of which kind, which required.

What is done with a record that breaks it: see `batches.py`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

KINDS = ("text", "number", "amount", "time", "list", "any")


@dataclass(frozen=True)
class Contract:
    """Field -> kind of every known field, and those without which a record says nothing."""

    fields: dict[str, str]
    required: tuple[str, ...] = ()


def _load() -> dict[str, Contract]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return {
        f"raw_{source}.{name}": Contract(
            {field: kind for kind in KINDS for field in declared.get(kind, ())}, tuple(declared.get("required", ()))
        )
        for source, named in tables.items()
        for name, declared in named.items()
    }


CONTRACTS = _load()
"""Relation, as `raw_directus.venues` -> its contract."""
