"""What a run did, and what the stores hold after it: the demo's report."""

from typing import TYPE_CHECKING, Any

import psycopg

from resources.settings import Settings
from sonik_assets.contents import contents, ids_sha256
from sonik_assets.runs import STAGES, Outcome

if TYPE_CHECKING:
    import falkordb

SCHEMAS = (
    "raw_directus",
    "raw_twenty",
    "raw_mongo",
    "raw_scraper",
    "raw_sonik",
    "identity",
    "unified",
    "marts",
)

_TABLES = """
select format('%%I.%%I', n.nspname, c.relname)
from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname = any(%s)
"""


def report(
    settings: Settings,
    connection: psycopg.Connection,
    graph: "falkordb.FalkorDB",
    outcome: Outcome,
    since: int,
) -> dict[str, Any]:
    """Return the report of a run that began at transaction `since` (see `mark`)."""
    passed = sum(outcome.checks.values())
    counts = {**outcome.rows, **_model_rows(connection)}
    return {
        "run_id": outcome.run_id,
        "success": outcome.success,
        "stages": {
            stage: {"rows": counts.get(stage, 0), "seconds": round(outcome.seconds.get(stage, 0.0), 2)}
            for stage in STAGES
        },
        "checks": {"passed": passed, "failed": len(outcome.checks) - passed},
        "failed_checks": sorted(name for name, good in outcome.checks.items() if not good),
        "warnings": sorted(outcome.warnings),
        "failures": outcome.reasons if outcome.failures else "",
        "identity": outcome.metadata.get("identity/entity_map", {}).get("changes", {}),
        **contents(settings, connection, graph),
        "ids_sha256": ids_sha256(connection),
        "written": {
            "rows": rows_written(connection, since),
            "graph_writes": outcome.total("graph_writes"),
            "lance_versions": outcome.total("lance_versions"),
        },
    }


def mark(connection: psycopg.Connection) -> int:
    """Return the transaction id from which on rows are counted as written."""
    return _one(connection, "select pg_current_xact_id()::text::bigint")


def rows_written(connection: psycopg.Connection, since: int) -> int:
    """Count the rows that transactions from `since` on inserted or rewrote, by xmin, over all stages' tables."""
    tables = [row[0] for row in connection.execute(_TABLES, [list(SCHEMAS)])]
    # xmin has 32 bits and wraps: ages compare rightly, and frozen rows are older than anything.
    young = " + ".join(f"(select count(*) from {t} where age(xmin) <= age(%(since)s::text::xid))" for t in tables)
    return _one(connection, f"select {young}", {"since": str(since % 2**32)}) if tables else 0


def _model_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many rows the dbt stages hold: their assets run in one step and count nothing themselves."""
    tables = _rows(connection, _TABLES, [["unified", "marts"]])
    rows = {"unified": 0, "marts": 0}
    for (name,) in tables:
        rows[name.split(".")[0]] += _one(connection, f"select count(*) from {name}")
    rows["staging"] = _one(connection, "select count(*) from staging.mentions")
    return rows


def _rows(connection: psycopg.Connection, query: str, values: Any = None) -> list[Any]:
    return connection.execute(query, values).fetchall()


def _one(connection: psycopg.Connection, query: str, values: Any = None) -> int:
    return int(_rows(connection, query, values)[0][0])
