"""Fills the cache with the most asked questions and sweeps answers that can no longer be reached.

How one answer is found and kept is `serving`; here is which are made in advance.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from resources.embedder import encoder
from sonik_assets.serving import query_log
from sonik_assets.serving.answers import Answers, query_indexes
from sonik_assets.serving.question import Question
from sonik_assets.serving.search import answer_of, generation, open_tables

if TYPE_CHECKING:
    import redis

    from resources.settings import Settings

TOP = 50
SCAN_COUNT = 1000

MOST_ASKED = """
with asked as (
    select text from unified.agent_queries
    union all
    select text from ops.query_log where kind = 'search'
)
select min(btrim(regexp_replace(text, '\\s+', ' ', 'g'))) as question
from asked where text ~ '\\S'
group by lower(btrim(regexp_replace(text, '\\s+', ' ', 'g')))
order by count(*) desc, question
limit %s
"""


@dataclass(frozen=True)
class Warmed:
    """Questions that were `asked` most, answers `stored` by this run, out-of-date keys `swept`."""

    asked: int
    stored: int
    swept: int


def warm(settings: "Settings", pg: psycopg.Connection, client: "redis.Redis") -> Warmed:
    """Answer the most asked questions that have no answer yet, embedding them in one batch."""
    tables = open_tables(settings)
    kept = Answers(client, generation(tables))
    questions = most_asked(pg)
    absent = [question for question in questions if kept.exact(question) is None]
    if absent:
        vectors = encoder(settings).encode([question.text for question in absent])
        for question, vector in zip(absent, vectors, strict=True):
            kept.keep(question, vector, answer_of(tables, question, vector))
    return Warmed(len(questions), len(absent), sweep(client, kept))


def most_asked(pg: psycopg.Connection) -> list[Question]:
    """Return the questions of agents and people, most asked first; spaces and case aside."""
    query_log.ensure(pg)
    return [Question(text) for (text,) in pg.execute(MOST_ASKED, [TOP])]


def sweep(client: "redis.Redis", kept: Answers) -> int:
    """Remove the answers of other generations and the vectors of expired ones; return how many were removed."""
    indexes = query_indexes(client)
    if indexes is not None:
        return _sweep_indexes(client, kept.name, indexes) + _sweep_keys(client, kept.name)
    from resources.stores.vector_set_cache import VectorSetCache

    expired = VectorSetCache(kept.name, redis_client=client).sweep()
    return expired + _sweep_keys(client, kept.name)


def _sweep_keys(client: "redis.Redis", current: str) -> int:
    tenant = current.rsplit(":", 1)[0]
    keys = [
        key for key in client.scan_iter(match=f"{tenant}:*", count=SCAN_COUNT) if not str(key).startswith(f"{current}:")
    ]
    return int(client.unlink(*keys)) if keys else 0


def _sweep_indexes(client: "redis.Redis", current: str, indexes: list[str]) -> int:
    tenant = current.rsplit(":", 1)[0]
    old = [name for name in indexes if name.startswith(f"{tenant}:") and name != current]
    for name in old:
        client.ft(name).dropindex()
    return len(old)
