"""Rows as Cypher literals, written by PostgreSQL: a set of rows becomes text without passing through Python values.

What a literal cannot carry does not come here: `desired.py` leaves out numbers that are not finite, and PostgreSQL has
neither NUL in text nor integers past 64 bits. Absent values are absent keys.
"""

from sonik_assets.graph.desired import edges_sql, nodes_sql
from sonik_assets.graph.schema import COMMON, EdgeType, Label, Property

_OWN = (Property("id", "id"), Property("row_hash", "row_hash", "bigint"))


def node_literals_sql(label: Label) -> str:
    """Select `id` and `literal` of the nodes whose ids are given; see `node_upsert`."""
    properties = _map((*_OWN, *label.properties))
    if label.has_point:
        # a point cannot be a parameter: it travels as a map beside the properties
        where = "case when latitude is not null and longitude is not null then"
        where += (
            f" ',location:' || {_map(tuple(p for p in label.properties if p.name in ('latitude', 'longitude')))} end"
        )
        properties = f"concat('{{p:', {properties}, {where}, '}}')"
    return f"select id, {properties} as literal from ({nodes_sql(label, some=True)}) as d"


def node_upsert(label: Label) -> str:
    """Return the Cypher that writes nodes from `$rows`."""
    row, point = ("r.p", ", n.location = point(r.location)") if label.has_point else ("r", "")
    return f"UNWIND $rows AS r MERGE (n:{label.name} {{id: {row}.id}}) SET n = {row}{point}"


def edge_literals_sql(edge: EdgeType, ends: tuple[str, str]) -> str:
    """Select `id`, `literal`, `from_id` and `to_id` of the edges whose ids are given; see `edge_upsert`."""
    properties = _map((*_OWN, *COMMON, *edge.properties))
    return (
        f"select id, concat('{{s:\"', from_id, '\",e:\"', to_id, '\",p:', {properties}, '}}') as literal,"
        f" from_id, to_id from ({edges_sql(edge, ends, some=True)}) as d"
    )


def edge_upsert(name: str, ends: tuple[str, str]) -> str:
    """Return the Cypher that writes edges from `$rows` where both ends are there, and counts those."""
    return (
        f"UNWIND $rows AS r MATCH (a:{ends[0]} {{id: r.s}}) MATCH (b:{ends[1]} {{id: r.e}})"
        f" MERGE (a)-[e:{name} {{id: r.p.id}}]->(b) SET e = r.p RETURN count(*)"
    )


def _map(properties: tuple[Property, ...]) -> str:
    return "'{' || concat_ws(',', " + ", ".join(_pair(each) for each in properties) + ") || '}'"


def _pair(each: Property) -> str:
    # null as a whole where the column is null: concat_ws leaves it out
    return f"'`{each.name}`:' || {_LITERAL[each.type].format(column=f'"{each.name}"')}"


_QUOTED = """'"' || replace(replace({column}, '\\', '\\\\'), '"', '\\"') || '"'"""
_LITERAL = {
    "text": _QUOTED,
    "bigint": "{column}::text",
    "boolean": "{column}::text",
    # A whole number would arrive as an integer, and Cypher divides integers without a remainder.
    "float8": "case when {column}::text ~ '[.e]' then {column}::text else {column}::text || '.0' end",
    "text[]": "case when {column} is not null then '[' || (select coalesce(string_agg("
    + _QUOTED.format(column="t.item")
    + ", ',' order by t.place), '') from unnest({column}) with ordinality as t (item, place)) || ']' end",
}
