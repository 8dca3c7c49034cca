"""Indexes and unique constraints of a graph, made where they are missing. Looks before it writes."""

import time
from typing import TYPE_CHECKING

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher, schema

if TYPE_CHECKING:
    from falkordb import FalkorDB, Graph

WAIT_SECONDS = 60.0


def prepare(client: "FalkorDB", name: str) -> "Graph":
    """Return the graph with an index on every id and ids unique per label; raises TerminalError."""
    graph = client.select_graph(name)
    indexed = _indexed(graph) if name in client.list_graphs() else set()
    for label in schema.labels_of(name):
        if ("NODE", label.name) not in indexed:
            cypher.write(graph, f"CREATE INDEX FOR (n:{label.name}) ON (n.id)")
    for edge in schema.edge_types_of(name):
        if ("RELATIONSHIP", edge.name) not in indexed:
            cypher.write(graph, f"CREATE INDEX FOR ()-[e:{edge.name}]->() ON (e.id)")
    _constrain(graph)
    return graph


def _indexed(graph: "Graph") -> set[tuple[str, str]]:
    rows = cypher.read(
        graph, "CALL db.indexes() YIELD label, properties, entitytype RETURN entitytype, label, properties"
    )
    return {(kind, label) for kind, label, properties in rows if "id" in properties}


def _constrain(graph: "Graph") -> None:
    wanted = {label.name for label in schema.labels_of(graph.name)}
    for label in sorted(wanted - _constraints(graph).keys()):
        graph.execute_command("GRAPH.CONSTRAINT", "CREATE", graph.name, "UNIQUE", "NODE", label, "PROPERTIES", 1, "id")
    deadline = time.monotonic() + WAIT_SECONDS
    while states := {k: v for k, v in _constraints(graph).items() if k in wanted and v != "OPERATIONAL"}:
        _judge(graph.name, states, late=time.monotonic() > deadline)
        time.sleep(0.01)


def _judge(graph: str, states: dict[str, str], *, late: bool) -> None:
    names = ", ".join(sorted(states))
    if "FAILED" in states.values():
        raise TerminalError(
            f"graph {graph}: two nodes share an id under {names}; GRAPH.DELETE {graph} and run again: it is rebuilt"
        )
    if late:
        raise TransientError(f"graph {graph}: the unique constraint of {names} is still being built; run again")


def _constraints(graph: "Graph") -> dict[str, str]:
    rows = cypher.read(
        graph,
        "CALL db.constraints() YIELD type, label, properties, status RETURN type, label, properties, status",
    )
    return {label: status for kind, label, properties, status in rows if kind == "UNIQUE" and properties == ["id"]}
