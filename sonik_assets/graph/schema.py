"""What the graphs hold, declared once: each label and edge type with its graph, source and properties.

Projections, indexes, constraints, checks and docs/graph.md are made from it. The names are a contract. How values are
computed is decided in `unified.*`; how they are read and written, in `desired.py`, `apply.py` and `bulk.py`.
"""

from dataclasses import dataclass

OPERATIONS, KNOWLEDGE, AGENT_MEMORY = "operations", "knowledge", "agent_memory"
GRAPHS = (OPERATIONS, KNOWLEDGE, AGENT_MEMORY)
EDGES = "relationships"
"""The table of schema `unified` that every edge comes from."""


@dataclass(frozen=True)
class Property:
    """A property: its name, the SQL that computes it, and the SQL type: text, bigint, float8, boolean or text[].

    `most`: no number further from zero than that can be in a graph. `origin`: the SQL of the text that it comes from,
    where that may be one that the type cannot hold; `sql` is null there.
    """

    name: str
    sql: str
    type: str = "text"
    most: float | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Label:
    """A node label: every row of `unified.<relation>` is one node.

    `tables`: whose changes change its nodes, where not the relation's. `indexed`: properties that queries start from.
    """

    name: str
    graph: str
    relation: str
    properties: tuple[Property, ...]
    tables: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()

    @property
    def has_point(self) -> bool:
        """Whether its nodes have a `location`, made of their latitude and longitude."""
        return {"latitude", "longitude"} <= {each.name for each in self.properties}


@dataclass(frozen=True)
class EdgeType:
    """An edge type with the (from, to) labels it may join; its rows are in `unified.relationships`."""

    name: str
    graph: str
    ends: tuple[tuple[str, str], ...]
    properties: tuple[Property, ...] = ()


type Part = Label | EdgeType


def same(*columns: str) -> tuple[Property, ...]:
    """Return texts named as the columns they come from."""
    return tuple(Property(column, column) for column in columns)


def texts(name: str) -> Property:
    """Return an array of texts; absent where it holds arrays."""
    sql = f"case when coalesce(array_ndims({name}), 1) = 1 then {name} end"
    return Property(name, sql, "text[]", origin=f"{name}::text")


def moment(name: str, column: str | None = None) -> Property:
    """Return a timestamptz as whole milliseconds since 1970 UTC; absent where it is infinite."""
    at = column or name
    sql = f"case when isfinite({at}) then (date_part('epoch', {at}) * 1000)::bigint end"
    return Property(name, sql, "bigint", origin=f"{at}::text")


def day(name: str, column: str | None = None) -> Property:
    """Return a date as YYYY-MM-DD; absent where it is infinite."""
    on = column or name
    return Property(name, f"case when isfinite({on}) then {on}::text end", origin=f"{on}::text")


def money(name: str) -> Property:
    """Return a numeric as a float; absent where it is past what one can hold."""
    return cast(name, f"{name}::text", "float8")


def cast(name: str, text: str, type: str) -> Property:
    """Return what a text tells as `type`; absent where it tells no such value."""
    return Property(name, f"case when pg_input_is_valid({text}, '{type}') then ({text})::{type} end", type, origin=text)


def reference(name: str) -> Property:
    """Return a uuid as text."""
    return Property(name, f"{name}::text")


def told(name: str, type: str = "text") -> Property:
    """Return what the relationship's own properties tell; absent where that is no value of the type."""
    text = f"(properties ->> '{name}')"
    return Property(name, text) if type == "text" else cast(name, text, type)


COMMON = (
    Property("weight", "weight", "float8"),
    moment("timestamp", "at"),
    Property("source", "source"),
    Property("confidence", "confidence", "float8"),
)
"""Properties of every edge."""

_CLAIM = same("canonical_id", "claim_status")
_ENTITY = ("entities", "entity_identifiers")

LABELS = (
    Label("Person", OPERATIONS, "persons", (*same("name"), *_CLAIM, *same("type")), _ENTITY),
    Label(
        "Venue",
        OPERATIONS,
        "venues",
        (
            *same("name", "google_places_id", "instagram_url", "domain"),
            *_CLAIM,
            Property("capacity", "capacity", "bigint"),
            *same("address", "city", "country", "category"),
            Property("latitude", "latitude", "float8", most=90),
            Property("longitude", "longitude", "float8", most=180),
        ),
        _ENTITY,
    ),
    Label(
        "Event",
        OPERATIONS,
        "events",
        (
            *same("name", "status", "city", "ticket_url"),
            day("date", "local_date"),
            moment("starts_at"),
            Property("genre", "genres[1]"),
            texts("genres"),
        ),
    ),
    Label(
        "Organization",
        OPERATIONS,
        "organizations",
        (*same("name", "domain", "type", "instagram_url", "google_places_id"), *_CLAIM),
        _ENTITY,
    ),
    Label(
        "Artist",
        OPERATIONS,
        "artists",
        (
            *same("name", "instagram_url", "domain", "country"),
            *_CLAIM,
            Property("genre", "genres[1]"),
            texts("genres"),
        ),
        _ENTITY,
    ),
    Label("Brand", OPERATIONS, "brands", (*same("name", "instagram_url", "domain"), *_CLAIM), _ENTITY),
    Label(
        "Campaign",
        OPERATIONS,
        "campaigns",
        (*same("name", "channel"), money("budget"), day("start_date"), day("end_date")),
    ),
    Label("Content", OPERATIONS, "content", (*same("type", "title", "url", "city"), moment("published_at"))),
    Label("Market", OPERATIONS, "markets", same("name", "country", "status", "timezone")),
    Label("Channel", OPERATIONS, "channels", same("type", "platform")),
    Label(
        "Ticket",
        OPERATIONS,
        "tickets",
        (*same("tier"), reference("event_id"), money("price"), moment("checked_in_at")),
        indexed=("event_id",),
    ),
    Label(
        "Purchase",
        OPERATIONS,
        "purchases",
        (*same("currency", "status"), money("amount"), moment("at")),
    ),
    Label(
        "Feature",
        KNOWLEDGE,
        "features",
        (*same("name", "suite", "status"), Property("revenue_impact", "revenue_impact", "float8")),
    ),
    Label(
        "FeatureFlag",
        KNOWLEDGE,
        "feature_flags",
        (
            *same("name"),
            Property("enabled", "enabled", "boolean"),
            Property("rollout_percentage", "rollout_percentage", "float8"),
        ),
    ),
    Label(
        "CodeModule",
        KNOWLEDGE,
        "code_modules",
        (
            *same("path"),
            Property("importance", "importance", "float8"),
            Property("dependencies_count", "dependencies_count", "bigint"),
        ),
        indexed=("path",),
    ),
    Label("Concept", KNOWLEDGE, "concepts", same("name", "domain")),
    Label("Revenue", KNOWLEDGE, "revenues", (*same("name", "currency"), Property("amount", "amount", "float8"))),
    Label("Sentiment", KNOWLEDGE, "sentiments", same("name")),
    Label("Session", AGENT_MEMORY, "agent_sessions", (*same("name"), moment("started_at"))),
    Label("Memory", AGENT_MEMORY, "agent_memories", (*same("text"), moment("at"))),
    Label("Query", AGENT_MEMORY, "agent_queries", (*same("text"), moment("at"))),
    Label("Reference", AGENT_MEMORY, "agent_references", (*same("graph", "label"), reference("ref_id"))),
)

_NIGHT = (told("local_date"),)

EDGE_TYPES = (
    EdgeType(
        "OWNS",
        OPERATIONS,
        (("Person", "Venue"), ("Person", "Organization"), ("Person", "Brand")),
        (told("method"),),
    ),
    EdgeType("MANAGES", OPERATIONS, (("Person", "Artist"), ("Person", "Venue"))),
    EdgeType("PERFORMS_AT", OPERATIONS, (("Artist", "Event"),), _NIGHT),
    EdgeType("HOSTED_BY", OPERATIONS, (("Event", "Venue"),), _NIGHT),
    EdgeType("PROMOTED_BY", OPERATIONS, (("Event", "Organization"),), _NIGHT),
    EdgeType("WORKS_FOR", OPERATIONS, (("Person", "Organization"),), (told("job_title"),)),
    EdgeType(
        "SHARED",
        OPERATIONS,
        (("Person", "Event"), ("Person", "Content")),
        (Property("channel", "nullif(discriminator, '')"), told("times", "bigint")),
    ),
    EdgeType("ATTENDED", OPERATIONS, (("Person", "Event"),), (told("ticket_tier"),)),
    EdgeType(
        "PURCHASED",
        OPERATIONS,
        (("Person", "Ticket"),),
        (told("amount", "float8"), told("currency"), told("sale_source")),
    ),
    EdgeType("REFERRED", OPERATIONS, (("Person", "Person"),), (told("times", "bigint"),)),
    EdgeType("INFLUENCED", OPERATIONS, (("Content", "Purchase"),), (told("touches", "bigint"),)),
    EdgeType("CONVERTED_VIA", OPERATIONS, (("Person", "Campaign"),), (told("purchases", "bigint"),)),
    EdgeType("DEPENDS_ON", KNOWLEDGE, (("CodeModule", "CodeModule"),), (told("importance", "float8"),)),
    EdgeType("IMPLEMENTS", KNOWLEDGE, (("CodeModule", "Feature"),)),
    EdgeType(
        "IMPACTS",
        KNOWLEDGE,
        (("Feature", "Revenue"), ("Feature", "Sentiment")),
        (told("users", "bigint"), told("amount", "float8"), told("answers", "bigint")),
    ),
    EdgeType("ENABLES", KNOWLEDGE, (("FeatureFlag", "Feature"),), (told("enabled", "boolean"),)),
    EdgeType("RELATES_TO", KNOWLEDGE, (("Concept", "Concept"),)),
    EdgeType("HAS_MEMORY", AGENT_MEMORY, (("Session", "Memory"),)),
    EdgeType("ASKED", AGENT_MEMORY, (("Session", "Query"),)),
    EdgeType("TOUCHED", AGENT_MEMORY, (("Query", "Reference"),)),
)

RELATION_OF = {label.name: label.relation for label in LABELS}
EDGE = {edge.name: edge for edge in EDGE_TYPES}


def labels_of(graph: str) -> tuple[Label, ...]:
    """Return the labels that live in a graph."""
    return tuple(label for label in LABELS if label.graph == graph)


def edge_types_of(graph: str) -> tuple[EdgeType, ...]:
    """Return the edge types that live in a graph."""
    return tuple(edge for edge in EDGE_TYPES if edge.graph == graph)


def parts_of(graph: str) -> tuple[Part, ...]:
    """Return the labels and the edge types that live in a graph."""
    return (*labels_of(graph), *edge_types_of(graph))


def relations_of(graph: str) -> tuple[str, ...]:
    """Return the relations of schema `unified` that a graph is made from."""
    return (*(label.relation for label in labels_of(graph)), EDGES)


def tables_of(graph: str) -> frozenset[str]:
    """Return the published tables of schema `unified` whose changes change a graph."""
    return frozenset(table for label in labels_of(graph) for table in label.tables or (label.relation,)) | {EDGES}
