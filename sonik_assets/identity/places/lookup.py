"""The look-up: questions of mentions, answered from the cache or by the register, and what follows for the mentions.

The order only: questions are `queries.py`, the choice is `choice.py`, what is remembered `cache.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg

from resources.places import Place, Places, Query
from sonik_assets.identity.places import cache
from sonik_assets.identity.places.choice import choose
from sonik_assets.identity.places.queries import as_json, lacking, questions

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

    `ids`: row, scheme, value. `doubts`: row, query_hash, status (ambiguous, doubtful), candidates (JSON list of
    place_id, name, address, metres, doubt; only place_id once Google's 30 days are over). `asked` of them were
    answered now; `waiting`: the next run's, for the budget is spent or the register fails; `blanked`: answers whose
    content was forgotten.
    """

    ids: pl.DataFrame
    doubts: pl.DataFrame
    asked: int = 0
    ambiguous: int = 0
    doubtful: int = 0
    unknown: int = 0
    waiting: int = 0
    blanked: int = 0


def look_up(connection: psycopg.Connection, mentions: pl.DataFrame, places: Places | None) -> Found:
    """Look up prepared venue and organization records without Places id; without a register, what was answered before.

    Each batch of answers is a transaction of its own: outside of another one, a run that dies has not paid in vain.
    Raises TerminalError where the register refuses us.
    """
    blanked = cache.blank(connection)
    rows = lacking(mentions)
    asked = rows.unique("query_hash", keep="first", maintain_order=True)
    known = cache.known(connection, asked["query_hash"].to_list(), places.origin if places else None)
    new = _to_ask(asked, known) if places else asked.clear()
    told = _ask(connection, new, places) if places else ()
    answers = pl.concat([pl.DataFrame(schema=cache.ANSWERS), *told])
    fresh = answers.select(*list(cache.KNOWN)[:-1])
    done = pl.concat([fresh, known.drop("due").join(fresh, on="query_hash", how="anti")])
    counts = dict(done["status"].value_counts().iter_rows())
    return Found(
        _ids(rows, done),
        _doubts(rows, done),
        asked=answers.height,
        ambiguous=counts.get("ambiguous", 0),
        doubtful=counts.get("doubtful", 0),
        unknown=counts.get("none", 0),
        waiting=new.height - answers.height,
        blanked=blanked,
    )


def _to_ask(asked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the questions never answered, then those whose answer is due again."""
    never = asked.join(known, on="query_hash", how="anti", maintain_order="left")
    again = asked.join(known.filter("due"), on="query_hash", how="semi", maintain_order="left")
    return pl.concat([never, again])


def _ask(connection: psycopg.Connection, new: pl.DataFrame, places: Places) -> Iterator[pl.DataFrame]:
    for batch in new.iter_slices(PAID_BATCH if places.keeps else FREE_BATCH):
        queries = list(questions(batch))
        answers = _answers(batch.select("query_hash", as_json()), queries, places.find(queries), places)
        if answers.height:
            cache.keep(connection, answers)
            yield answers
        if answers.height < batch.height:
            return


def _answers(
    batch: pl.DataFrame, queries: list[Query], found: list[list[Place] | None], places: Places
) -> pl.DataFrame:
    now = datetime.now(UTC)
    rows = []
    for (query_hash, text), query, candidates in zip(batch.iter_rows(), queries, found, strict=True):
        if candidates is None:
            continue
        choice = choose(query, candidates)
        age = ID_AGE if choice.status == "found" else ASK_AGAIN
        until, again = (now + places.keeps, now + age) if places.keeps else (None, None)
        told = (choice.status, choice.place_id, choice.answer, len(candidates))
        rows.append((query_hash, text, places.origin, *told, until, again))
    return pl.DataFrame(rows, cache.ANSWERS, orient="row")


def _ids(rows: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    found = rows.join(done.filter(pl.col("status") == "found"), on="query_hash", maintain_order="left")
    return found.select("row", scheme=pl.lit("google_places_id"), value="place_id").cast(_IDS)  # type: ignore[arg-type]


def _doubts(rows: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    doubted = done.filter(pl.col("status").is_in(["ambiguous", "doubtful"]))
    found = rows.join(doubted, on="query_hash", maintain_order="left")
    return found.select("row", "query_hash", "status", candidates="answer").cast(_DOUBTS)  # type: ignore[arg-type]
