"""The look-up: questions of mentions, answered from the cache or by the register, and what follows for the mentions.

The order only: questions are `queries.py`, the choice is `choice.py`, what is remembered `cache.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

import polars as pl
import psycopg

from resources.places import Place, Places, Query
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.places import asked, cache
from sonik_assets.identity.places.choice import choose
from sonik_assets.identity.places.queries import KINDS, as_json, from_json, lacking, questions

ID_AGE = timedelta(days=365)
"""Google: check an id that is older than twelve months."""
ASK_AGAIN = timedelta(days=90)
"""A question without a sure answer: new places are entered."""
PAID_BATCH, FREE_BATCH = 100, 100_000
"""Questions after which the answers are kept; those that cost money soon."""
_IDS = {"row": pl.UInt32, "scheme": pl.String, "value": pl.String}
_DOUBTS = {"row": pl.UInt32, **dict.fromkeys(("query_hash", "status", "candidates"), pl.String)}


@dataclass(frozen=True)
class Found:
    """What the mentions got, and counts of distinct questions.

    `rows`: of `lacking`; `done`: cache.KNOWN without `due`, the answers there are to them. `ids`: row, scheme, value.
    `doubts`: row, query_hash, status (ambiguous, doubtful), candidates (JSON list of place_id, name, address, metres,
    doubt; only place_id once Google's 30 days are over). `asked` questions were answered now, those of unchanged
    records too; `waiting`: the next run's, for the budget is spent or the register fails; `blanked`: answers whose
    content was forgotten.
    """

    rows: pl.DataFrame
    done: pl.DataFrame
    ids: pl.DataFrame
    doubts: pl.DataFrame
    asked: int = 0
    ambiguous: int = 0
    doubtful: int = 0
    unknown: int = 0
    waiting: int = 0
    blanked: int = 0


def look_up(
    connection: psycopg.Connection, mentions: pl.DataFrame, places: Places | None, gone: pl.DataFrame | None = None
) -> Found:
    """Look up prepared venue and organization records without Places id; without a register, what was answered before.

    `gone`: REF of records that are no more; given where the mentions are only what changed: then what waits or is due
    of all other records is asked too, after theirs. Each batch of answers is a transaction of its own: outside of
    another one, a run that dies has not paid in vain. Raises TerminalError where the register refuses us.
    """
    blanked = cache.blank(connection)
    rows = lacking(mentions)
    questioned = rows.unique("query_hash", keep="first", maintain_order=True)
    known = cache.known(connection, questioned["query_hash"].to_list(), places.origin if places else None)
    answers, waiting = pl.DataFrame(schema=cache.ANSWERS), 0
    if places:
        new = _to_ask(questioned, known)
        changed = None if gone is None else _refs(mentions, gone)
        answers, waiting = _ask(connection, new, places, changed)
    fresh = answers.select(*list(cache.KNOWN)[:-1])
    told = pl.concat([fresh, known.drop("due").join(fresh, on="query_hash", how="anti")])
    counts = dict(told["status"].value_counts().iter_rows())
    return Found(
        rows,
        told,
        ids(rows, told),
        _doubts(rows, told),
        asked=answers.height,
        ambiguous=counts.get("ambiguous", 0),
        doubtful=counts.get("doubtful", 0),
        unknown=counts.get("none", 0),
        waiting=waiting,
        blanked=blanked,
    )


def _to_ask(questioned: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the questions never answered, then those whose answer is due again."""
    never = questioned.join(known, on="query_hash", how="anti", maintain_order="left")
    again = questioned.join(known.filter("due"), on="query_hash", how="semi", maintain_order="left")
    return pl.concat([never, again])


def _refs(mentions: pl.DataFrame, gone: pl.DataFrame) -> list[str]:
    refs = pl.concat([mentions.filter(pl.col("entity_type").is_in(KINDS)).select(REF), gone.select(REF)])
    return refs.select(pl.concat_str(*REF, separator="/")).to_series().to_list()


def _ask(
    connection: psycopg.Connection, new: pl.DataFrame, places: Places, changed: list[str] | None
) -> tuple[pl.DataFrame, int]:
    """Ask until all is answered, or one is not; return ANSWERS and how many wait.

    changed: refs, given where unchanged records are to be asked for too.
    """
    size = PAID_BATCH if places.keeps else FREE_BATCH
    batches = ((part.select("query_hash", as_json()), questions(part)) for part in new.iter_slices(size))
    others = () if changed is None else _others(connection, places, changed, size)
    told = [pl.DataFrame(schema=cache.ANSWERS)]
    for batch, queries in chain(batches, others):
        told.append(_answered(connection, batch, list(queries), places))
        if told[-1].height < batch.height:
            break
    answers = pl.concat(told)
    left = new.join(answers, on="query_hash", how="anti")["query_hash"].to_list()
    waiting = 0 if changed is None else asked.count_open(connection, places.origin, changed, left)
    return answers, len(left) + waiting


def _others(
    connection: psycopg.Connection, places: Places, changed: list[str], size: int
) -> Iterator[tuple[pl.DataFrame, Iterator[Query]]]:
    """Yield what is open for unchanged records; each batch is read once the one before was answered."""
    while (batch := asked.still_open(connection, places.origin, changed, size)).height:
        yield batch, from_json(batch)


def _answered(
    connection: psycopg.Connection, batch: pl.DataFrame, queries: list[Query], places: Places
) -> pl.DataFrame:
    """Ask a batch and return its ANSWERS. What came before a failure is kept: it may have been paid for."""
    rows = []
    try:
        for asking, query, candidates in zip(batch.iter_rows(), queries, places.find(queries), strict=True):
            if candidates is not None:
                rows.append(_answer(asking, query, candidates, places))
    finally:
        answers = pl.DataFrame(rows, cache.ANSWERS, orient="row")
        if answers.height:
            cache.keep(connection, answers)
    return answers


def _answer(
    asking: tuple[str, ...], query: Query, candidates: list[Place], places: Places
) -> tuple[str | int | datetime | None, ...]:
    """Return a row of cache.ANSWERS; asking: hash and question."""
    choice, now = choose(query, candidates), datetime.now(UTC)
    age = ID_AGE if choice.status == "found" else ASK_AGAIN
    until, again = (now + places.keeps, now + age) if places.keeps else (None, None)
    return (*asking, places.origin, choice.status, choice.place_id, choice.answer, len(candidates), until, again)


def ids(rows: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """Return row, scheme, value of the rows of `lacking` to which cache.KNOWN has a place."""
    found = rows.join(done.filter(pl.col("status") == "found"), on="query_hash", maintain_order="left")
    return found.select("row", scheme=pl.lit("google_places_id"), value="place_id").cast(_IDS)  # type: ignore[arg-type]


def _doubts(rows: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    doubted = done.filter(pl.col("status").is_in(["ambiguous", "doubtful"]))
    found = rows.join(doubted, on="query_hash", maintain_order="left")
    return found.select("row", "query_hash", "status", candidates="answer").cast(_DOUBTS)  # type: ignore[arg-type]
