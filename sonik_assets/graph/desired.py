"""The SQL of the desired state: what each label and edge type should hold, from `unified.*`.

A row is `id text`, `row_hash bigint` (of all that is written, so equal hashes need no write) and
`props jsonb`, and `whole`: false for an edge that misses an end. Names come from `schema.py` only.
"""

from sonik_assets.graph.schema import RELATION_OF, EdgeType, Label, epoch_ms, real

EDGE_PROPERTIES = {
    "weight": real("weight"),
    "timestamp": epoch_ms("at"),
    "source": "source",
    "confidence": real("confidence"),
}


def nodes_sql(label: Label) -> str:
    """Select the desired nodes of a label: id, row_hash, props, whole."""
    return (
        "select id, hashtextextended(props::text, 0) as row_hash, props, true as whole from"
        f" (select id::text as id, {_object({'id': 'id::text', **label.properties})} as props"
        f" from unified.{label.relation}) as desired"
    )


def edges_sql(edge: EdgeType, ends: tuple[str, str]) -> str:
    """Select the desired edges of a type between two labels: id, row_hash, props, whole, from_id, to_id.

    The ends are part of the hash: an entity that changes its label keeps its id, and its edges must follow.
    """
    start, end = (RELATION_OF[label] for label in ends)
    own = _object({"id": "id::text", **EDGE_PROPERTIES, **edge.properties})
    return (
        "select id, hashtextextended(concat(from_id, from_label, to_id, to_label, props), 0) as row_hash,"
        " props, whole, from_id, to_id from"
        f" (select r.id::text as id, r.from_id::text, r.from_label, r.to_id::text, r.to_label,"
        f" coalesce(jsonb_strip_nulls(properties), '{{}}') || {own} as props,"
        f" exists (select from unified.{start} as a where a.id = r.from_id)"
        f" and exists (select from unified.{end} as b where b.id = r.to_id) as whole"
        f" from unified.relationships as r"
        f" where r.type = '{edge.name}' and r.from_label = '{ends[0]}' and r.to_label = '{ends[1]}'"
        ") as desired"
    )


def _object(properties: dict[str, str]) -> str:
    pairs = ", ".join(f"'{name}', {sql}" for name, sql in properties.items())
    return f"jsonb_strip_nulls(jsonb_build_object({pairs}))"
