"""What the graphs hold, declared once: each label and edge type with its graph, source and properties.

The names are a contract (docs/graph.md). How they are computed is decided in `unified.*`; how they are
written, in `project.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OPERATIONS, KNOWLEDGE, AGENT_MEMORY = "operations", "knowledge", "agent_memory"
GRAPHS = (OPERATIONS, KNOWLEDGE, AGENT_MEMORY)


@dataclass(frozen=True)
class Label:
    """A node label: every row of `unified.<relation>` is one node. Values of `properties` are SQL."""

    name: str
    graph: str
    relation: str
    properties: Mapping[str, str]


@dataclass(frozen=True)
class EdgeType:
    """An edge type with the (from, to) labels it may join; its rows are in `unified.relationships`."""

    name: str
    graph: str
    ends: tuple[tuple[str, str], ...]
    properties: Mapping[str, str] = field(default_factory=dict)


def epoch_ms(column: str) -> str:
    """Return SQL for a timestamptz as whole milliseconds since 1970 UTC."""
    return f"(extract(epoch from {column}) * 1000)::bigint"


def real(column: str) -> str:
    """Return SQL for a number that keeps its decimal point in JSON.

    Otherwise 100.0 would arrive as an integer, and Cypher divides integers without a remainder.
    """
    return f"({column}::numeric + 0.0)"


def same(*columns: str) -> dict[str, str]:
    """Return properties named as the columns they come from."""
    return {column: column for column in columns}


LOCATION = (
    "case when latitude is not null and longitude is not null"
    " then jsonb_build_object('latitude', latitude, 'longitude', longitude) end"
)

LABELS = (
    Label("Person", OPERATIONS, "persons", same("name", "canonical_id", "claim_status", "type")),
    Label(
        "Venue",
        OPERATIONS,
        "venues",
        same("name", "google_places_id", "instagram_url", "domain", "canonical_id", "claim_status")
        | same("capacity", "address", "city", "country", "category")
        | {"location": LOCATION},
    ),
    Label(
        "Event",
        OPERATIONS,
        "events",
        same("name", "status", "genres", "city", "ticket_url")
        | {"date": "local_date::text", "genre": "genres[1]", "starts_at": epoch_ms("starts_at")},
    ),
    Label(
        "Organization",
        OPERATIONS,
        "organizations",
        same("name", "domain", "type", "instagram_url", "google_places_id", "canonical_id", "claim_status"),
    ),
    Label(
        "Artist",
        OPERATIONS,
        "artists",
        same("name", "instagram_url", "genres", "domain", "country", "canonical_id", "claim_status")
        | {"genre": "genres[1]"},
    ),
    Label("Brand", OPERATIONS, "brands", same("name", "instagram_url", "domain", "canonical_id", "claim_status")),
    Label(
        "Campaign",
        OPERATIONS,
        "campaigns",
        same("name", "channel")
        | {"budget": real("budget"), "start_date": "start_date::text", "end_date": "end_date::text"},
    ),
    Label(
        "Content",
        OPERATIONS,
        "content",
        same("type", "title", "url", "city") | {"published_at": epoch_ms("published_at")},
    ),
    Label("Market", OPERATIONS, "markets", same("name", "country", "status", "timezone")),
    Label("Channel", OPERATIONS, "channels", same("type", "platform")),
    Label(
        "Ticket",
        OPERATIONS,
        "tickets",
        same("tier")
        | {"event_id": "event_id::text", "price": real("price"), "checked_in_at": epoch_ms("checked_in_at")},
    ),
    Label(
        "Purchase",
        OPERATIONS,
        "purchases",
        same("currency", "status") | {"amount": real("amount"), "at": epoch_ms("at")},
    ),
    Label(
        "Feature",
        KNOWLEDGE,
        "features",
        same("name", "suite", "status") | {"revenue_impact": real("revenue_impact")},
    ),
    Label(
        "FeatureFlag",
        KNOWLEDGE,
        "feature_flags",
        same("name", "enabled") | {"rollout_percentage": real("rollout_percentage")},
    ),
    Label(
        "CodeModule",
        KNOWLEDGE,
        "code_modules",
        same("path", "dependencies_count") | {"importance": real("importance")},
    ),
    Label("Concept", KNOWLEDGE, "concepts", same("name", "domain")),
    Label("Revenue", KNOWLEDGE, "revenues", same("name", "currency") | {"amount": real("amount")}),
    Label("Sentiment", KNOWLEDGE, "sentiments", same("name")),
    Label("Session", AGENT_MEMORY, "agent_sessions", same("name") | {"started_at": epoch_ms("started_at")}),
    Label("Memory", AGENT_MEMORY, "agent_memories", same("text") | {"at": epoch_ms("at")}),
    Label("Query", AGENT_MEMORY, "agent_queries", same("text") | {"at": epoch_ms("at")}),
    Label(
        "Reference",
        AGENT_MEMORY,
        "agent_references",
        {"graph": "graph", "label": "label", "ref_id": "ref_id::text"},
    ),
)

EDGE_TYPES = (
    EdgeType("OWNS", OPERATIONS, (("Person", "Venue"), ("Person", "Organization"), ("Person", "Brand"))),
    EdgeType("MANAGES", OPERATIONS, (("Person", "Artist"), ("Person", "Venue"))),
    EdgeType("PERFORMS_AT", OPERATIONS, (("Artist", "Event"),)),
    EdgeType("HOSTED_BY", OPERATIONS, (("Event", "Venue"),)),
    EdgeType("PROMOTED_BY", OPERATIONS, (("Event", "Organization"),)),
    EdgeType("WORKS_FOR", OPERATIONS, (("Person", "Organization"),)),
    EdgeType(
        "SHARED",
        OPERATIONS,
        (("Person", "Event"), ("Person", "Content")),
        {"channel": "nullif(discriminator, '')"},
    ),
    EdgeType("ATTENDED", OPERATIONS, (("Person", "Event"),)),
    EdgeType("PURCHASED", OPERATIONS, (("Person", "Ticket"),)),
    EdgeType("REFERRED", OPERATIONS, (("Person", "Person"),)),
    EdgeType("INFLUENCED", OPERATIONS, (("Content", "Purchase"),)),
    EdgeType("CONVERTED_VIA", OPERATIONS, (("Person", "Campaign"),)),
    EdgeType("DEPENDS_ON", KNOWLEDGE, (("CodeModule", "CodeModule"),)),
    EdgeType("IMPLEMENTS", KNOWLEDGE, (("CodeModule", "Feature"),)),
    EdgeType("IMPACTS", KNOWLEDGE, (("Feature", "Revenue"), ("Feature", "Sentiment"))),
    EdgeType("ENABLES", KNOWLEDGE, (("FeatureFlag", "Feature"),)),
    EdgeType("RELATES_TO", KNOWLEDGE, (("Concept", "Concept"),)),
    EdgeType("HAS_MEMORY", AGENT_MEMORY, (("Session", "Memory"),)),
    EdgeType("ASKED", AGENT_MEMORY, (("Session", "Query"),)),
    EdgeType("TOUCHED", AGENT_MEMORY, (("Query", "Reference"),)),
)

RELATION_OF = {label.name: label.relation for label in LABELS}


def labels_of(graph: str) -> tuple[Label, ...]:
    """Return the labels that live in a graph."""
    return tuple(label for label in LABELS if label.graph == graph)


def edge_types_of(graph: str) -> tuple[EdgeType, ...]:
    """Return the edge types that live in a graph."""
    return tuple(edge for edge in EDGE_TYPES if edge.graph == graph)


def relations_of(graph: str) -> tuple[str, ...]:
    """Return the relations of schema `unified` that a graph is made from."""
    return (*(label.relation for label in labels_of(graph)), "relationships")
