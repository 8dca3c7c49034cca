"""What the stores hold, counted in the stores themselves: `sonik status` and the demo's report show it."""

import hashlib
from typing import TYPE_CHECKING, Any

import psycopg

from resources.settings import Settings

if TYPE_CHECKING:
    import falkordb

GRAPHS = ("operations", "knowledge", "agent_memory")

_ENTITIES = "select entity_type, count(*) from unified.entities group by 1 order by 1"
_DEAD_LETTERS = "select count(*) from raw.dead_letters where replayed_at is null"
_LAST_EXTRACT = "select max(finished_at) from raw.extracts where complete"


def contents(settings: Settings, connection: psycopg.Connection, graph: "falkordb.FalkorDB") -> dict[str, Any]:
    """Return entities by type, graph and vector counts, dead letters, and the time of the last extract (UTC)."""
    letters, last = (connection.execute(query).fetchone() for query in (_DEAD_LETTERS, _LAST_EXTRACT))
    return {
        "entities": dict(connection.execute(_ENTITIES).fetchall()),
        "graph": graph_counts(graph),
        "vectors": vector_counts(settings),
        "dead_letters": letters[0] if letters else 0,
        "last_extract": last[0].isoformat() if last and last[0] else None,
    }


def graph_counts(graph: "falkordb.FalkorDB") -> dict[str, Any]:
    """Return nodes, edges, and both by label and type over the three graphs."""
    labels: dict[str, int] = {}
    types: dict[str, int] = {}
    for name in set(GRAPHS) & set(graph.list_graphs()):
        selected = graph.select_graph(name)
        labels |= dict(selected.ro_query("MATCH (n) RETURN labels(n)[0], count(n)").result_set)
        types |= dict(selected.ro_query("MATCH ()-[e]->() RETURN type(e), count(e)").result_set)
    return {
        "nodes": sum(labels.values()),
        "edges": sum(types.values()),
        "labels": dict(sorted(labels.items())),
        "types": dict(sorted(types.items())),
    }


def vector_counts(settings: Settings) -> dict[str, int]:
    """Return the rows of each LanceDB table."""
    import lancedb

    database = lancedb.connect(settings.lancedb_uri)
    return {name: database.open_table(name).count_rows() for name in database.table_names(limit=1000)}


def ids_sha256(connection: psycopg.Connection) -> str:
    """Return the SHA-256 of all entity ids in order, one a line."""
    digest = hashlib.sha256()
    with connection.cursor("ids") as cursor:
        cursor.execute("select id::text from unified.entities order by id")
        for (identifier,) in cursor:
            digest.update(f"{identifier}\n".encode())
    return digest.hexdigest()
