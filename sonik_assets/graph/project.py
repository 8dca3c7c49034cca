"""Makes a graph equal to `unified.*` by writing the differences only (docs/adr/0004-graph-reconciliation.md).

Each chunk is one atomic query and the graph itself says what is still missing, so a run that dies is
finished by the next one, and a run with nothing to do writes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from sonik_assets.graph import cypher
from sonik_assets.graph.parts import Part, Source, parts_of
from sonik_assets.graph.prepare import prepare
from sonik_assets.graph.schema import EDGE_TYPES, edge_types_of

if TYPE_CHECKING:
    from falkordb import FalkorDB, Graph
    from psycopg import Connection

CHUNK = 5_000
"""Rows a query: larger ones block other readers, and very large deletes are known to crash the server."""


@dataclass
class Change:
    """What one label or edge type holds, and what was written to get there; all in rows."""

    rows: int
    upserted: int
    deleted: int
    dangling: int


@dataclass
class Counts:
    """The outcome for one graph. `undeclared` relationships have a type or ends that no graph knows."""

    graph: str
    undeclared: int = 0
    labels: dict[str, Change] = field(default_factory=dict)
    types: dict[str, Change] = field(default_factory=dict)

    @property
    def changes(self) -> list[Change]:
        """Return the changes of all labels and types."""
        return [*self.labels.values(), *self.types.values()]

    @property
    def written(self) -> int:
        """Return how many nodes and edges were written or deleted."""
        return sum(change.upserted + change.deleted for change in self.changes)

    @property
    def rows(self) -> int:
        """Return how many nodes and edges the graph should hold."""
        return sum(change.rows for change in self.changes)

    @property
    def rejected(self) -> int:
        """Return how many relationships could not be drawn."""
        return self.undeclared + sum(change.dangling for change in self.changes)


@dataclass(frozen=True)
class Plan:
    """The difference of one part: ids to write by source, ids to delete."""

    part: Part
    changed: tuple[tuple[Source, list[str]], ...]
    gone: list[str]
    change: Change


def project(pg: "Connection[Any]", client: "FalkorDB", name: str, *, chunk: int = CHUNK) -> Counts:
    """Write the differences between `unified.*` and the graph; `pg` must not be inside a transaction."""
    graph = prepare(client, name)
    with pg.transaction():
        pg.execute("set transaction isolation level repeatable read, read only")
        nodes, edges = ([plan(pg, graph, part) for part in parts] for parts in parts_of(name))
        for wanted in (*nodes, *edges):
            _upsert(pg, graph, wanted, chunk)
        for wanted in (*edges, *nodes):
            _delete(graph, wanted, chunk)
        return Counts(
            graph=name,
            undeclared=_undeclared(pg, name),
            labels={wanted.part.name: wanted.change for wanted in nodes},
            types={wanted.part.name: wanted.change for wanted in edges},
        )


def plan(pg: "Connection[Any]", graph: "Graph", part: Part) -> Plan:
    """Compare one part's desired ids and hashes with the graph's own."""
    actual = actual_hashes(graph, part)
    kept: set[str] = set()
    changed, dangling = [], 0
    for source in part.sources:
        desired, broken = desired_hashes(pg, source)
        changed.append((source, [id for id, row_hash in desired.items() if actual.get(id) != row_hash]))
        kept |= desired.keys()
        dangling += broken
    gone = sorted(actual.keys() - kept)
    upserted = sum(len(ids) for _, ids in changed)
    return Plan(part, tuple(changed), gone, Change(len(kept), upserted, len(gone), dangling))


def desired_hashes(pg: "Connection[Any]", source: Source) -> tuple[dict[str, int], int]:
    """Return row_hash by id for what the graph should hold, and how many edges miss an end."""
    rows = pg.execute(f"select id, row_hash, whole from ({source.desired}) as d").fetchall()
    whole = {id: row_hash for id, row_hash, complete in rows if complete}
    return whole, len(rows) - len(whole)


def actual_hashes(graph: "Graph", part: Part) -> dict[str, int]:
    """Return row_hash by id for what the graph holds of ours."""
    ((ids, hashes),) = cypher.read(graph, part.actual)
    return dict(zip(ids, hashes, strict=True))


def counts(graph: "Graph") -> dict[str, dict[str, int]]:
    """Return how many nodes each label and how many edges each type has, whoever wrote them."""
    labels = cypher.read(graph, "MATCH (n) UNWIND labels(n) AS label RETURN label, count(*)")
    types = cypher.read(graph, "MATCH ()-[e]->() RETURN type(e), count(*)")
    return {"labels": dict(sorted(map(tuple, labels))), "types": dict(sorted(map(tuple, types)))}


def _upsert(pg: "Connection[Any]", graph: "Graph", wanted: Plan, chunk: int) -> None:
    for source, ids in wanted.changed:
        for rows in _rows(pg, source, ids, chunk):
            text = ",".join(_row(graph.name, wanted.part.name, row) for row in rows)
            cypher.write(graph, source.upsert, rows=f"[{text}]")


def _delete(graph: "Graph", wanted: Plan, chunk: int) -> None:
    for ids in batched(wanted.gone, chunk):
        cypher.write(graph, wanted.part.delete, ids=cypher.literal(ids))


def _rows(pg: "Connection[Any]", source: Source, ids: list[str], chunk: int) -> Iterator[list[Any]]:
    if not ids:
        return
    with pg.cursor(name="wanted") as cursor:
        # `= any` is one hashed pass; joining with unnest was a nested loop where statistics were missing
        cursor.execute(f"select d.* from ({source.desired}) as d where d.id = any(%s::text[])", [ids])
        while rows := cursor.fetchmany(chunk):
            yield rows


def _row(graph: str, part: str, row: Iterable[Any]) -> str:
    id, row_hash, props, _, *ends = row
    try:
        location = cypher.literal(props.pop("location", None))
        properties = ",".join(_pair(name, value) for name, value in {**props, "row_hash": row_hash}.items())
    except cypher.Unencodable as error:
        raise TerminalError(f"graph {graph}: {part} {id}: {error}; correct that record and run again") from error
    joined = "".join(f",`{end}`:{cypher.literal(value)}" for end, value in zip(("start", "end"), ends, strict=False))
    return f"{{`props`:{{{properties}}},`location`:{location}{joined}}}"


def _pair(name: str, value: object) -> str:
    try:
        return f"{cypher.key(name)}:{cypher.property_literal(value)}"
    except cypher.Unencodable as error:
        raise cypher.Unencodable(f"property {name}: {error}") from error


def _undeclared(pg: "Connection[Any]", name: str) -> int:
    ours = [edge.name for edge in edge_types_of(name)]
    others = [edge.name for edge in EDGE_TYPES if edge.name not in ours]
    known = [f"{edge.name} {start} {end}" for edge in EDGE_TYPES for start, end in edge.ends]
    row = pg.execute(
        "select count(*) from unified.relationships"
        " where type <> all(%s) and concat_ws(' ', type, from_label, to_label) <> all(%s)",
        [others, known],
    ).fetchone()
    return int(row[0]) if row else 0
