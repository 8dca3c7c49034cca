"""Finds what may answer a question: rankings by meaning and by words over every vector table, fused. Reads LanceDB.

Which table holds what is decided in `vectors.documents`; the order of the answer, in `reranking`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

import polars as pl

from sonik_assets.serving.fusion import fuse
from sonik_assets.serving.wording import MOST_WORDS, Wording

if TYPE_CHECKING:
    from lancedb.table import Table

    from resources.encoders import Vectors

COLUMNS = ["id", "document_id", "kind", "name", "text", "text_folded", "city", "city_key", "local_date", "genre_keys"]
EACH = 60
"""Rows of a ranking, over all tables."""
SURE = 8
"""The first rows of each table, which are candidates wherever a ranking over all tables would place them."""
REFINED = 2
"""Times as many rows of a vector index have their exact distance computed."""
MOST = 200
"""Candidates that are ranked anew."""


@dataclass(frozen=True)
class Place:
    """A table to search: which of its rows may be found, and whether its vectors are of the encoder that asks."""

    table: "Table"
    condition: str | None
    comparable: bool = True


@dataclass(frozen=True)
class Sought:
    """A text, what it names, and its vector, shape (384,); no vector, no ranking by meaning."""

    text: str
    wording: Wording
    vector: "Vectors | None"


type _Ask = Callable[[str], Coroutine[Any, Any, pl.DataFrame]]
"""From a table's name to rows with `placed`: the less, the better."""


def candidates(places: Mapping[str, Place], sought: Sought) -> list[dict[str, Any]]:
    """Return at most MOST rows with `table`, `near` (cosine, 0 where not known) and `fused`, the best fused first."""
    from lancedb.background_loop import LOOP

    found: list[pl.DataFrame] = LOOP.run(_all(places, sought))  # type: ignore[no-untyped-call]
    scores = fuse([_placed(frames) for frames in batched(found, len(places))])
    kept = dict(list(scores.items())[:MOST])
    rows = pl.concat([_empty(), *found]).filter(pl.col("id").is_in(list(kept)))
    near = pl.col("near").max().over("id").fill_null(0.0)
    unique = rows.with_columns(near=near).unique("id", keep="first", maintain_order=True)
    fused = pl.col("id").replace_strict(kept, return_dtype=pl.Float64)
    return unique.drop("placed").with_columns(fused=fused).sort("fused", "id", descending=[True, False]).to_dicts()


async def _all(places: Mapping[str, Place], sought: Sought) -> list[pl.DataFrame]:
    """Ask every ranking of every table at once: each ranking's tables one after another."""
    return await asyncio.gather(*(ask(name) for ask in _asks(places, sought) for name in places))


def _asks(places: Mapping[str, Place], sought: Sought) -> Iterable[_Ask]:
    """Yield the rankings: by meaning, by stemmed words, by words as they are; by meaning among what is named."""
    text = " ".join(sought.text.split()[:MOST_WORDS])
    words = " ".join(sought.wording.words)
    if sought.vector is not None:
        yield lambda name: _near(places[name], name, sought.vector, None)
    if words:
        yield lambda name: _worded(places[name], name, "text", text)
        yield lambda name: _worded(places[name], name, "text_folded", words)
    named = _named(sought.wording)
    if sought.vector is not None and named:
        yield lambda name: _near(places[name], name, sought.vector, named)


def _named(wording: Wording) -> str | None:
    """Return the condition that rows are of a city and a day that the question names, or None where it names none."""
    from resources.stores.lancedb import quoted

    cities = ", ".join(map(quoted, sorted(wording.cities)))
    days = ", ".join(f"date '{day.isoformat()}'" for day in sorted(wording.days))
    return _both(f"city_key in ({cities})" if cities else None, f"local_date in ({days})" if days else None)


async def _near(place: Place, name: str, vector: Any, more: str | None) -> pl.DataFrame:
    if not place.comparable:
        return _empty()
    # Of a quantized index distances are about right; beside those of tables that have none they must be exact.
    query = _query(place).nearest_to(vector).distance_type("cosine").refine_factor(REFINED)
    query = query.select([*COLUMNS, "_distance"])
    rows = await _rows(query, _both(place.condition, more))
    return _as_told(rows, name, placed=pl.col("_distance"), near=1 - pl.col("_distance"))


async def _worded(place: Place, name: str, column: str, text: str) -> pl.DataFrame:
    query = _query(place).nearest_to_text(text, columns=[column]).select([*COLUMNS, "_score"])
    rows = await _rows(query, place.condition)
    return _as_told(rows, name, placed=-pl.col("_score"), near=pl.lit(None))


def _query(place: Place) -> Any:
    # What the synchronous table wraps: asked this way, a dozen queries take half the time.
    return place.table._table.query()  # type: ignore[attr-defined]


async def _rows(query: Any, condition: str | None) -> pl.DataFrame:
    filtered = query.where(condition) if condition else query  # before it is ranked, unless told otherwise
    return pl.DataFrame(pl.from_arrow(await filtered.limit(EACH).to_arrow()))


def _as_told(rows: pl.DataFrame, name: str, placed: pl.Expr, near: pl.Expr) -> pl.DataFrame:
    return rows.select(*COLUMNS, table=pl.lit(name), near=near.cast(pl.Float64), placed=placed.cast(pl.Float64)).cast(
        {"genre_keys": pl.List(pl.String)}
    )


def _empty() -> pl.DataFrame:
    own = {"local_date": pl.Date(), "genre_keys": pl.List(pl.String), "near": pl.Float64(), "placed": pl.Float64()}
    schema: dict[str, pl.DataType] = dict.fromkeys((*COLUMNS, "table", "near", "placed"), pl.String())
    return pl.DataFrame(schema=schema | own)


def _placed(frames: Sequence[pl.DataFrame]) -> list[str]:
    """Return ids over all tables, best first, at most EACH; and the first SURE of each table behind them."""
    ordered = pl.concat(frames).sort("placed", "id")
    sure = ordered.group_by("table", maintain_order=True).head(SURE)["id"]
    return list(dict.fromkeys([*ordered.head(EACH)["id"], *sure]))


def _both(*conditions: str | None) -> str | None:
    return " and ".join(f"({each})" for each in conditions if each) or None
