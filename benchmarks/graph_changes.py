"""What changes cost: ten thousand rows from the log into the graph, and writing rows beside a bare UNWIND of them."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from falkordb import FalkorDB

from benchmarks.metrics import Metric
from sonik_assets.graph import schema
from sonik_assets.graph.apply import Touched, apply
from sonik_assets.graph.desired import edges_sql, nodes_sql
from sonik_assets.graph.literals import edge_upsert, node_upsert
from sonik_assets.graph.parity import parities
from sonik_assets.graph.sync import sync

GRAPH = schema.OPERATIONS
CHANGED = 10_000
TRIES = 7
BARE_CHUNK = 5_000
"""Rows a query of the yardstick: with more or fewer it was not faster."""
# As a run leaves it: names and weights change, some things come, some go with what hangs on them.
_CHANGES = (
    "update unified.entities set name = name || '!' where id in (select id from unified.entities limit 2500)",
    "update unified.relationships set weight = random() where id in (select id from unified.relationships limit 5500)",
    """
    insert into unified.relationships
        (id, from_label, from_id, type, to_label, to_id, discriminator, weight, at, source, confidence)
    select uuidv7(), from_label, from_id, type, to_label, to_id, 'new', 0.5, now(), 'mongo', 1
    from unified.relationships limit 1500
    """,
    """
    delete from unified.relationships where id in (
        select id from unified.relationships where type = 'SHARED' order by at limit 500
    )
    """,
)


def change_metrics(postgres: str, client: FalkorDB) -> Iterator[Metric]:
    """Yield the metrics; the graph is made first and is as the tables are afterwards."""
    sync(postgres, client, GRAPH)
    with psycopg.connect(postgres, autocommit=True) as pg:
        with pg.transaction():
            changed = sum(pg.execute(statement).rowcount for statement in _CHANGES)  # type: ignore[arg-type]
        assert changed == CHANGED, changed
        started = time.perf_counter()
        done = sync(postgres, client, GRAPH)
        yield Metric("changes_10k_seconds", time.perf_counter() - started, "s")
        assert (done.rebuilt, done.changed) == ("", CHANGED), done
        assert all(each.holds for each in parities(pg, client.select_graph(GRAPH), GRAPH))
        yield _beside_unwind(pg, client)


def _beside_unwind(pg: "psycopg.Connection[Any]", client: FalkorDB) -> Metric:
    """Write people and edges that are there, in turns with a client that has the same rows in its memory."""
    graph = client.select_graph(GRAPH)
    person = next(label for label in schema.LABELS if label.name == "Person")
    ids = _column(pg, "select id::text from unified.entities where entity_type = 'person' limit 10000")
    edge, ends = schema.EDGE["ATTENDED"], ("Person", "Event")
    edges = _column(pg, "select id::text from unified.relationships where type = 'ATTENDED' limit 10000")
    nodes = _rows(pg, nodes_sql(person, some=True), ids)
    drawn = [
        {"s": row.pop("from_id"), "e": row.pop("to_id"), "p": row}
        for row in _rows(pg, edges_sql(edge, ends, some=True), edges)
    ]

    def bare() -> None:
        for statement, rows in ((node_upsert(person), nodes), (edge_upsert(edge.name, ends), drawn)):
            for at in range(0, len(rows), BARE_CHUNK):
                graph.query(statement, {"rows": rows[at : at + BARE_CHUNK]})

    def ours() -> None:
        apply(pg, client, GRAPH, Touched({"Person": ids}, dict.fromkeys(edges)))

    mine, theirs = zip(*((_seconds(ours), _seconds(bare)) for _ in range(TRIES)), strict=True)
    count = len(ids) + len(edges)
    rates = (count / statistics.median(mine), count / statistics.median(theirs))
    return Metric("apply_vs_unwind", rates[0], "rows/s", yardstick=rates[1])


def _column(pg: "psycopg.Connection[Any]", sql: str) -> list[str]:
    return [row[0] for row in pg.execute(sql).fetchall()]  # type: ignore[arg-type]


def _rows(pg: "psycopg.Connection[Any]", sql: str, ids: list[str]) -> list[dict[str, Any]]:
    cursor = pg.execute(sql, {"ids": ids})  # type: ignore[arg-type]
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
