"""Compares the ids of a graph with those of `unified.*`, part by part. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonik_assets.graph.parts import parts_of
from sonik_assets.graph.project import actual_hashes, desired_hashes

if TYPE_CHECKING:
    from falkordb import Graph
    from psycopg import Connection


@dataclass(frozen=True)
class Parity:
    """One label or edge type: how many ids each side has, and those that only one side has."""

    name: str
    expected: int
    found: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    sql: str

    @property
    def holds(self) -> bool:
        """Return whether both sides have the same ids."""
        return not self.missing and not self.surplus


def parities(pg: "Connection[Any]", graph: "Graph") -> Iterator[Parity]:
    """Compare every label and edge type of a graph."""
    nodes, edges = parts_of(graph.name)
    for part in (*nodes, *edges):
        wanted: set[str] = set()
        for source in part.sources:
            wanted |= desired_hashes(pg, source)[0].keys()
        held = actual_hashes(graph, part).keys()
        yield Parity(
            name=part.name,
            expected=len(wanted),
            found=len(held),
            missing=tuple(sorted(wanted - held)),
            surplus=tuple(sorted(held - wanted)),
            sql=" union all ".join(f"select id from ({source.desired}) as d where whole" for source in part.sources),
        )
