"""The SQL of the desired state: what each label and edge type should hold, from `unified.*`.

A row is `id` (text), `row_hash` (bigint: of all that is written, so equal hashes need no write), for edges `from_id`
and `to_id` (text), then one typed column a property. A row with a number that no graph can hold (not finite, or no
place on the globe) is left out, a value that its type cannot hold is absent; `refused_sql` tells both. Names come from
`schema.py` only. How rows become nodes and edges is not here.
"""

from collections.abc import Iterable

from sonik_assets.graph.schema import COMMON, EDGES, RELATION_OF, EdgeType, Label, Property

IDS = "%(ids)s::uuid[]"
"""The parameter of the statements that read some rows only."""


def nodes_sql(label: Label, *, some: bool = False) -> str:
    """Select the nodes of a label; with `some` those of the ids given."""
    return (
        f"select id::text as id, {_hash()} as row_hash, {_names(label.properties)}"
        f" from (select id, {_columns(label.properties)} from unified.{label.relation}{_some('where', some=some)}) as d"
        f" where {_finite(label.properties)}"
    )


def edges_sql(
    edge: EdgeType, ends: tuple[str, str], *, some: bool = False, whole: bool = False, raw: bool = False
) -> str:
    """Select the edges of a type between two labels; with `whole` those whose ends are there, with `raw` ends as uuid.

    The labels are part of the hash: an entity that changes its label keeps its id, and its edges must follow.
    """
    properties = (*COMMON, *edge.properties)
    both = "from_id, to_id" if raw else "from_id::text as from_id, to_id::text as to_id"
    return (
        f"select id::text as id, {_hash()} as row_hash, {both},"
        f" {_names(properties)} from (select id, from_label, from_id, to_label, to_id, {_columns(properties)}"
        f" from unified.{EDGES} where {_between(edge, ends)}{_some('and', some=some)}) as d"
        f" where {_finite(properties)}{_whole(ends) if whole else ''}"
    )


def refused_sql(kind: Label | EdgeType) -> str:
    """Select `id`, column and value of what cannot be in a graph.

    Those are numbers not finite or, of places, off the globe (the row is left out), and what is no value of its type
    (the property is left out).
    """
    if isinstance(kind, Label):
        properties, rows = kind.properties, f"unified.{kind.relation}"
    else:
        properties, rows = (*COMMON, *kind.properties), f"unified.{EDGES} where type = '{kind.name}'"
    odd = {each: _odd(each) for each in properties if each.type == "float8" or each.origin}
    values = [f"('{each.name}', {each.origin or f'({each.sql})::text'}, {test})" for each, test in odd.items()]
    # the first condition says the same again: texts are made of the few odd rows only
    return (
        f"select id::text, v.name, v.value from (select * from {rows}) as d"
        f" cross join lateral (values {', '.join(values or ["('', '', false)"])}) as v (name, value, odd)"
        f" where ({' or '.join(odd.values()) or 'false'}) and v.odd"
    )


_INFINITE = "'NaN', 'Infinity', '-Infinity'"


def _hash() -> str:
    return "hash_record_extended(d, 0)"


def _columns(properties: Iterable[Property]) -> str:
    return ", ".join(f'{_valued(each)} as "{each.name}"' for each in properties)


def _valued(each: Property) -> str:
    # numeric columns become doubles here; an array that holds nothing in places loses those places
    return f"array_remove({each.sql}, null)" if each.type == "text[]" else f"({each.sql})::{each.type}"


def _names(properties: Iterable[Property]) -> str:
    return ", ".join(f'"{each.name}"' for each in properties)


def _some(word: str, *, some: bool) -> str:
    return f" {word} id = any({IDS})" if some else ""


def _between(edge: EdgeType, ends: tuple[str, str]) -> str:
    return f"type = '{edge.name}' and from_label = '{ends[0]}' and to_label = '{ends[1]}'"


def _finite(properties: Iterable[Property]) -> str:
    return " and ".join(_fits(f'"{each.name}"', each) for each in properties if each.type == "float8") or "true"


def _fits(column: str, each: Property) -> str:
    if each.most is not None:
        return f"coalesce(abs({column}), 0) <= {each.most}"  # NaN is above every number
    return f"coalesce({column}, 0) not in ({_INFINITE})"


def _odd(each: Property) -> str:
    """Return the condition that a value is refused, its row or the property alone."""
    lost = f"({each.origin} is not null and ({each.sql}) is null)" if each.origin else ""
    unfit = f"not {_fits(f'({each.sql})::float8', each)}" if each.type == "float8" else ""
    return " or ".join(filter(None, (lost, unfit)))


def _whole(ends: tuple[str, str]) -> str:
    start, end = (RELATION_OF[label] for label in ends)
    return (
        f" and exists (select from unified.{start} as a where a.id = d.from_id)"
        f" and exists (select from unified.{end} as b where b.id = d.to_id)"
    )
