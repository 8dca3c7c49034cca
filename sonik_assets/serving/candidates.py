"""Finds what may answer a question: rankings by meaning and by words over every vector table, fused. Reads LanceDB.

Which table holds what is decided in `vectors.documents`; the order of the answer, in `reranking`. Rankings are of row
numbers, and only what is kept of them is read: reading 60 rows takes three times as long as finding them.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from resources.stores.lancedb import quoted
from sonik_assets.serving.fusion import fuse
from sonik_assets.serving.vector_tables import told_of, wait_for
from sonik_assets.serving.wording import MOST_WORDS, Vocabulary, Wording

if TYPE_CHECKING:
    from lancedb import AsyncTable

    from resources.encoders import Vectors

EACH = 60
"""Rows of a ranking, over all tables."""
NEAREST = 30
"""Rows by meaning, a table."""
SURE = 4
"""The first rows of each table, which are candidates wherever a ranking over all tables would place them."""
MOST = 80
"""Candidates that are ranked anew."""
WORDS = {
    "entities": ("text", "text_folded"),
    "events": ("text", "text_folded"),
    "content": ("text",),
    "concepts": ("text",),
}
"""Which words of a table are ranked: by stems, and, where names are what is looked for, as they are."""
REFINED = 2
"""So many times EACH are looked at with their whole vectors: an index's own distances are only about right, and beside
those of a table without an index they must be exact."""


@dataclass(frozen=True)
class Place:
    """A table to search: which of its rows may be found, what it holds, whether its vectors are of our encoder."""

    table: "AsyncTable"
    condition: str | None
    holds: Vocabulary
    comparable: bool = True


@dataclass(frozen=True)
class Sought:
    """A text, what it names, and its vector, shape (384,); no vector, no ranking by meaning."""

    text: str
    wording: Wording
    vector: "Vectors | None"


@dataclass(frozen=True)
class _Asked:
    """One ranking of a table: by a vector or by the words of a column, of rows for which a condition holds."""

    name: str
    table: "AsyncTable"
    condition: str | None
    vector: "Vectors | None" = None
    column: str = "vector"
    words: str = ""


@dataclass(frozen=True)
class _Found:
    """A row by the key of its table and number; `placed`: the less, the better. `near`: cosine, where it is known."""

    key: str
    placed: float
    near: float | None


def candidates(places: Mapping[str, Place], sought: Sought) -> list[dict[str, Any]]:
    """Return at most MOST rows with `table`, `near` (cosine, 0 where not known) and `fused`, the best fused first."""
    found: list[dict[str, Any]] = wait_for(_candidates(places, sought))
    return found


async def _candidates(places: Mapping[str, Place], sought: Sought) -> list[dict[str, Any]]:
    rankings = await asyncio.gather(
        *(asyncio.gather(*map(_ranked, asked)) for asked in _rankings(places, sought) if asked)
    )
    scores = fuse([_placed(ranking) for ranking in rankings])
    near = {row.key: row.near for ranking in rankings for part in ranking for row in part if row.near is not None}
    kept = list(scores)[:MOST]
    rows = await asyncio.gather(*(_read(name, place.table, kept) for name, place in places.items()))
    ranked = [{**row, "near": near.get(key, 0.0), "fused": scores[key]} for part in rows for key, row in part]
    return sorted(ranked, key=lambda row: (-row["fused"], row["id"]))


def _rankings(places: Mapping[str, Place], sought: Sought) -> Iterator[list[_Asked]]:
    """Yield by meaning, by stemmed words, by words as they are: each over all tables.

    By meaning among what the question names, where it names a city or a day: the words find the rest.
    """
    words = " ".join(sought.wording.words)
    if sought.vector is not None:
        yield [
            _Asked(name, place.table, both(place.condition, named), sought.vector)
            for name, place in places.items()
            if place.comparable and (named := _named(sought.wording, place.holds)) is not None
        ]
    for column, text in (("text", " ".join(sought.text.split()[:MOST_WORDS])), ("text_folded", words)):
        if words:
            yield [
                _Asked(name, place.table, place.condition, column=column, words=text)
                for name, place in places.items()
                if column in WORDS[name]
            ]


def _named(wording: Wording, holds: Vocabulary) -> str | None:
    """Return the condition that rows are of a city and a day that the question names; None where no row of it is."""
    cities, days = sorted(wording.cities & holds.cities), sorted(wording.days & holds.days)
    if (wording.cities and not cities) or (wording.days and not days):
        return None
    parts = [f"city_key in ({', '.join(map(quoted, cities))})"] if cities else []
    parts += [f"local_date in ({', '.join(f"date '{day.isoformat()}'" for day in days)})"] if days else []
    return " and ".join(parts)


async def _ranked(asked: _Asked) -> list[_Found]:
    query: Any = asked.table.query()
    if asked.vector is None:
        query, by, sign = query.nearest_to_text(asked.words, columns=[asked.column]), "_score", -1
    else:
        query, by, sign = query.nearest_to(asked.vector).column(asked.column).distance_type("cosine"), "_distance", 1
        query = query.refine_factor(REFINED)
    filtered = query.where(asked.condition) if asked.condition else query
    with told_of(asked.name):
        rows = await filtered.select([]).with_row_id().limit(EACH if asked.vector is None else NEAREST).to_arrow()
    pairs = zip(rows["_rowid"].to_pylist(), rows[by].to_pylist(), strict=True)
    return [_Found(f"{asked.name} {row}", sign * told, 1 - told if sign == 1 else None) for row, told in pairs]


def _placed(parts: Sequence[Sequence[_Found]]) -> list[str]:
    """Return keys over all tables, best first, at most EACH; and the first SURE of each table behind them."""
    ordered = sorted((row for part in parts for row in part), key=lambda row: (row.placed, row.key))
    sure = {row.key for part in parts for row in part[:SURE]}
    return [row.key for at, row in enumerate(ordered) if at < EACH] + [
        row.key for row in ordered[EACH:] if row.key in sure
    ]


async def _read(name: str, table: "AsyncTable", keys: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of this table among the keys, by key."""
    numbers = [int(key.removeprefix(f"{name} ")) for key in keys if key.startswith(f"{name} ")]
    if not numbers:
        return []
    with told_of(name):
        rows = await table.take_row_ids(numbers).select(["shown"]).with_row_id().to_arrow()
        return [(f"{name} {row['_rowid']}", _whole(name, row["shown"])) for row in rows.to_pylist()]


def _whole(name: str, shown: str) -> dict[str, Any]:
    row = orjson.loads(shown)
    day = row["local_date"]
    return {**row, "local_date": day and date.fromisoformat(day), "table": name}


def both(*conditions: str | None) -> str | None:
    """Return the condition that all of these hold, None where there is none."""
    return " and ".join(f"({each})" for each in conditions if each) or None
