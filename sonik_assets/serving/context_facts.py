"""What a context says of a record and of an edge, in sentences whose every fact stands in the row that they cite.

Rows are read from PostgreSQL as the scope (docs/access.md). Which of them come in, and their order, is `context`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonik_assets.serving.context_graph import Edge, Node
from sonik_assets.serving.scope import Organizer, Scope, Staff, scoped

if TYPE_CHECKING:
    from psycopg import Connection

ENTITY_LABELS = frozenset({"Person", "Venue", "Artist", "Organization", "Brand"})
BODY = 300
"""Characters of an article that are quoted, to the end of a word."""
RECORDS = 3
"""Source records that a source names."""

_EVENTS = """
select id::text, 'Event' as label, name, city, local_date::text as day, genres, ticket_url as url from unified.events
where id = any(%(ids)s::uuid[])
"""
_ENTITIES = """
select id::text, initcap(entity_type) as label, name, metadata ->> 'city' as city, metadata ->> 'category' as category,
    case when jsonb_typeof(metadata -> 'genres') = 'array'
        then array(select jsonb_array_elements_text(metadata -> 'genres')) end as genres
from unified.entities where id = any(%(ids)s::uuid[]) and entity_type <> 'event'
"""
_OWN_ENTITIES = """
select id::text, initcap(entity_type) as label, name from unified.entities
where id = any(%(ids)s::uuid[]) and entity_type <> 'event'
"""
_CONTENT = """
select id::text, 'Content' as label, title as name, type, city, body, url from unified.content
where id = any(%(ids)s::uuid[])
"""
_CONCEPTS = "select id::text, 'Concept' as label, name, domain from unified.concepts where id = any(%(ids)s::uuid[])"
_RELATIONSHIPS = """
select r.id::text, r.from_id::text as start, r.type, r.to_id::text as "end" from unified.relationships as r
join unnest(%(starts)s::uuid[], %(types)s::text[], %(ends)s::uuid[]) as e (start, type, "end")
    on r.from_id = e.start and r.type = e.type and r.to_id = e."end"
order by r.id
"""
_OWN_EDGES = """
select id::text as event, 'HOSTED_BY' as type, venue_id::text as other from unified.events
where id = any(%(ids)s::uuid[]) and venue_id is not null
union all
select id::text, 'PROMOTED_BY', organizer_id::text from unified.events
where id = any(%(ids)s::uuid[]) and organizer_id is not null
union all
select event_id::text, 'PERFORMS_AT', artist_id::text from unified.event_artists where event_id = any(%(ids)s::uuid[])
"""
_RECORDS = """
select entity_id::text, source, table_name, record_id from identity.entity_map where entity_id = any(%(ids)s::uuid[])
order by entity_id, source, table_name, record_id
"""

TABLE_OF = {"Event": "events", "Content": "content", "Concept": "concepts"} | dict.fromkeys(ENTITY_LABELS, "entities")
SAYS = {
    "PERFORMS_AT": "{start} performs at {end}",
    "HOSTED_BY": "{start} is hosted by {end}",
    "PROMOTED_BY": "{start} is promoted by {end}",
    "OWNS": "{start} owns {end}",
    "MANAGES": "{start} manages {end}",
    "WORKS_FOR": "{start} works for {end}",
    "RELATES_TO": "{start} relates to {end}",
}
_ARTICLE = re.compile(r"^[aeiou]", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """A row that may be cited: where it is, what it is called, where it is from."""

    table: str
    id: str
    name: str
    records: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True)
class Fact:
    """A sentence without its number, and the record that it is of. `about`: ids of all records that it names."""

    sentence: str
    record: Record
    about: frozenset[str]


def rows_of(pg: "Connection[Any]", scope: Scope, nodes: Collection[Node]) -> dict[str, dict[str, Any]]:
    """Return by id the rows of these nodes that the scope sees, with the columns that it sees."""
    by_table: dict[str, list[str]] = {}
    for node in nodes:
        by_table.setdefault(TABLE_OF[node.label], []).append(node.id)
    entities = _OWN_ENTITIES if isinstance(scope, Organizer) else _ENTITIES
    queries = {"events": _EVENTS, "entities": entities}
    if not isinstance(scope, Organizer):
        queries |= {"content": _CONTENT, "concepts": _CONCEPTS}
    found: dict[str, dict[str, Any]] = {}
    with scoped(pg, scope) as reading:
        for table, sql in queries.items():
            if ids := sorted(by_table.get(table, ())):
                found |= {row["id"]: row for row in _rows(reading, sql, ids=ids) if row["name"]}
        for id, records in _records(reading, scope, found).items():
            found[id]["records"] = records
    return found


def edge_facts(
    pg: "Connection[Any]", scope: Scope, edges: Iterable[Edge], rows: Mapping[str, Mapping[str, Any]]
) -> list[Fact]:
    """Return a sentence an edge both of whose ends are seen, in their order.

    It cites the relationship's row; for organizers, who see none, the event's, where venue, organizer and line-up are.
    An edge that the cited row does not hold is left out: the graph may be a run behind.
    """
    seen = [edge for edge in edges if all(end.id in rows for end in edge.ends)]
    if isinstance(scope, Organizer):
        return _own_edge_facts(pg, scope, seen, rows)
    with scoped(pg, scope) as reading:
        columns = {
            "starts": [e.start.id for e in seen],
            "types": [e.type for e in seen],
            "ends": [e.end.id for e in seen],
        }
        there = {
            (row["start"], row["type"], row["end"]): row["id"] for row in _rows(reading, _RELATIONSHIPS, **columns)
        }
    facts = []
    for edge in seen:
        if id := there.get((edge.start.id, edge.type, edge.end.id)):
            name = f"{plain(rows[edge.start.id]['name'])} {edge.type} {plain(rows[edge.end.id]['name'])}"
            facts.append(_edge(edge, rows, Record("relationships", id, name)))
    return facts


def _own_edge_facts(
    pg: "Connection[Any]", scope: Scope, edges: Iterable[Edge], rows: Mapping[str, Mapping[str, Any]]
) -> list[Fact]:
    told = [(edge, event.id) for edge in edges for event in edge.ends if event.label == "Event"]
    with scoped(pg, scope) as reading:
        ids = sorted({event for _, event in told})
        held = {(row["event"], row["type"], row["other"]) for row in _rows(reading, _OWN_EDGES, ids=ids)}
    return [
        _edge(edge, rows, of(rows[event]))
        for edge, event in told
        if any((event, edge.type, end.id) in held for end in edge.ends)
    ]


def _edge(edge: Edge, rows: Mapping[str, Mapping[str, Any]], record: Record) -> Fact:
    start, end = (plain(rows[each.id]["name"]) for each in edge.ends)
    return Fact(
        SAYS[edge.type].format(start=start, end=end), record, frozenset({edge.start.id, edge.end.id, record.id})
    )


def of(row: Mapping[str, Any]) -> Record:
    """Return what is cited for a row of `rows_of`."""
    records = tuple(row.get("records", ()))
    url = row.get("url")
    return Record(TABLE_OF[row["label"]], row["id"], plain(row["name"]), records, plain(url) if url else None)


def fact(row: Mapping[str, Any]) -> Fact:
    """Return what a row says of its record."""
    what = plain(row.get("type") or "content") if row["label"] == "Content" else row["label"].lower()
    parts = [f"{plain(row['name'])} is {'an' if _ARTICLE.match(what) else 'a'} {what}"]
    parts += [f"in {plain(row['city'])}"] if row.get("city") else []
    parts += [f"on {row['day']}"] if row.get("day") else []
    details = [
        f"category {plain(row['category'])}" if row.get("category") else "",
        f"genres {', '.join(map(plain, row['genres']))}" if row.get("genres") else "",
        f"domain {plain(row['domain'])}" if row.get("domain") else "",
        f"it says: {_quoted(row['body'])}" if row.get("body") else "",
    ]
    sentence = "; ".join([" ".join(parts), *filter(None, details)])
    return Fact(sentence, of(row), frozenset({row["id"]}))


def plain(text: str) -> str:
    """Return a text of a record on one line and without brackets: none of it may look like a source's number."""
    return " ".join(text.split()).replace("[", "(").replace("]", ")")


def _quoted(body: str) -> str:
    text = plain(body)
    return text if len(text) <= BODY else text[:BODY].rsplit(" ", 1)[0]


def _records(pg: "Connection[Any]", scope: Scope, ids: Iterable[str]) -> dict[str, list[str]]:
    """Return by id the source records behind entities and events, RECORDS each; staff alone reads those."""
    if not isinstance(scope, Staff):
        return {}
    found: dict[str, list[str]] = {}
    for row in _rows(pg, _RECORDS, ids=sorted(ids)):
        held = found.setdefault(row["entity_id"], [])
        if len(held) < RECORDS:
            held.append(plain(f"{row['source']}/{row['table_name']}/{row['record_id']}"))
    return found


def _rows(pg: "Connection[Any]", sql: str, **bound: object) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with pg.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, bound).fetchall()
