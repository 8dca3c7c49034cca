"""Indexes and unique constraints of a graph, made where they are missing. Looks before it writes.

Nodes are found by their id, or by what a query begins with; edges by their ends: an index over them would cost more
than it finds.
"""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher, schema

if TYPE_CHECKING:
    from falkordb import FalkorDB, Graph

WAIT_SECONDS = 600.0
"""An index over a million nodes took 4 s; the server builds it while it answers others."""


def prepare(client: "FalkorDB", name: str, labels: Iterable[str] | None = None) -> "Graph":
    """Return the graph with an index on every id and ids unique per label, both in force.

    `labels` are those of the declared graph `name`, unless given: a shadow has a name of its own. Raises
    TerminalError where an id is there twice.
    """
    graph = client.select_graph(name)
    wanted = {label.name for label in schema.labels_of(name)} if labels is None else set(labels)
    indexed = _indexed(graph) if name in client.list_graphs() else set()
    for declared in (each for each in schema.LABELS if each.name in wanted):
        for column in ("id", *declared.indexed):
            if (declared.name, column) not in indexed:
                cypher.write(graph, f"CREATE INDEX FOR (n:{declared.name}) ON (n.{column})")
    for label in sorted(wanted - _constraints(graph).keys()):
        graph.execute_command("GRAPH.CONSTRAINT", "CREATE", name, "UNIQUE", "NODE", label, "PROPERTIES", 1, "id")
    _wait(graph, wanted)
    return graph


def _wait(graph: "Graph", wanted: set[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while unfinished := _unfinished(_constraints(graph), wanted) | _unfinished(_indexes(graph), wanted):
        _judge(graph.name, unfinished, late=time.monotonic() > deadline)
        time.sleep(0.01)


def _unfinished(states: Mapping[str, str], wanted: set[str]) -> dict[str, str]:
    return {label: state for label, state in states.items() if label in wanted and state != "OPERATIONAL"}


def _judge(graph: str, states: Mapping[str, str], *, late: bool) -> None:
    names = ", ".join(sorted(states))
    if "FAILED" in states.values():
        raise TerminalError(
            f"graph {graph}: two nodes share an id under {names}; GRAPH.DELETE {graph} and run again: it is rebuilt"
        )
    if late:
        raise TransientError(f"graph {graph}: the index or constraint of {names} is still being built; run again")


def _indexed(graph: "Graph") -> set[tuple[str, str]]:
    rows = cypher.read(
        graph, "CALL db.indexes() YIELD label, properties, entitytype RETURN label, properties, entitytype"
    )
    return {(label, each) for label, properties, kind in rows if kind == "NODE" for each in properties}


def _indexes(graph: "Graph") -> dict[str, str]:
    rows = cypher.read(graph, "CALL db.indexes() YIELD label, entitytype, status RETURN entitytype, label, status")
    return {label: status for kind, label, status in rows if kind == "NODE"}


def _constraints(graph: "Graph") -> dict[str, str]:
    rows = cypher.read(
        graph,
        "CALL db.constraints() YIELD type, label, properties, status RETURN type, label, properties, status",
    )
    return {label: status for kind, label, properties, status in rows if kind == "UNIQUE" and properties == ["id"]}
