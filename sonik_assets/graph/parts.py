"""Each label and edge type as one part of a graph: how it is read from both sides, written and deleted."""

from dataclasses import dataclass

from sonik_assets.graph import schema
from sonik_assets.graph.desired import edges_sql, nodes_sql


@dataclass(frozen=True)
class Source:
    """Rows of one shape: the SQL that selects them and the Cypher that writes them."""

    desired: str
    upsert: str


@dataclass(frozen=True)
class Part:
    """A label or an edge type. `actual` returns ids and hashes in one row: a server may cap the rows."""

    name: str
    sources: tuple[Source, ...]
    actual: str
    delete: str


def parts_of(graph: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return the node parts and the edge parts of a graph."""
    nodes = tuple(_nodes(label) for label in schema.labels_of(graph))
    return nodes, tuple(_edges(edge) for edge in schema.edge_types_of(graph))


def _nodes(label: schema.Label) -> Part:
    # a point cannot be written as a parameter: it travels as a map beside the properties
    point = " SET n.location = point(r.location)" if "location" in label.properties else ""
    upsert = f"UNWIND $rows AS r MERGE (n:{label.name} {{id: r.props.id}}) SET n = r.props{point}"
    return Part(
        name=label.name,
        sources=(Source(nodes_sql(label), upsert),),
        # what others wrote into the graph has no row_hash and is left alone
        actual=_actual(f"(n:{label.name})", "n"),
        delete=f"UNWIND $ids AS id MATCH (n:{label.name} {{id: id}}) WHERE n.row_hash IS NOT NULL DELETE n",
    )


def _edges(edge: schema.EdgeType) -> Part:
    return Part(
        name=edge.name,
        sources=tuple(Source(edges_sql(edge, ends), _joined(edge.name, *ends)) for ends in edge.ends),
        actual=_actual(f"()-[e:{edge.name}]->()", "e"),
        delete=f"UNWIND $ids AS id MATCH ()-[e:{edge.name} {{id: id}}]->() DELETE e",
    )


def _joined(name: str, start: str, end: str) -> str:
    return (
        f"UNWIND $rows AS r MATCH (a:{start} {{id: r.start}}) MATCH (b:{end} {{id: r.end}})"
        f" MERGE (a)-[e:{name} {{id: r.props.id}}]->(b) SET e = r.props"
    )


def _actual(pattern: str, name: str) -> str:
    return (
        f"MATCH {pattern} WHERE {name}.row_hash IS NOT NULL AND {name}.id IS NOT NULL"
        f" RETURN collect({name}.id), collect({name}.row_hash)"
    )
