"""The vector tables as assets. The work is in `sync.py`, `pgvector.py` and `upkeep.py`; here are keys and metadata."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow, version
from sonik_assets.unified.checks import GATE
from sonik_assets.vectors.documents import TABLES, Table

if TYPE_CHECKING:
    from sonik_assets.vectors.sync import Synced
    from sonik_assets.vectors.upkeep import Kept


def vector_asset(table: Table) -> dg.AssetsDefinition:
    """Return the asset `vectors/<table>`, which makes that LanceDB table equal to its documents."""

    @dg.asset(
        key=["vectors", table.name],
        group_name="vectors",
        pool="lancedb",
        kinds={"lancedb"},
        owners=["team:data"],
        description=table.purpose,
        deps=GATE | {dg.AssetKey(["unified", relation]) for relation in table.reads},
        automation_condition=follow(),
    )
    def _vectors(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from sonik_assets.vectors.sync import sync

        started = time.monotonic()
        done = sync(stores.settings(), stores.endpoints().postgres, table.name, run=context.run_id)
        context.log.info(_story(done))
        return dg.MaterializeResult(
            metadata=_metadata(done, time.monotonic() - started),
            data_version=version(context, context.asset_key, changed=done.lance_versions > 0),
        )

    return _vectors


def _story(done: "Synced") -> str:
    how = f"{done.how} ({done.why})" if done.why else f"{done.how} {done.changes} changes of the log"
    wrote = done.done
    return (
        f"vectors/{done.table}: {how}; {wrote.written} rows written, {wrote.deleted} deleted,"
        f" {wrote.texts.embedded} texts embedded"
    )


def _metadata(done: "Synced", seconds: float) -> dict[str, Any]:
    return {
        "rows_in": done.rows,
        "rows_out": done.rows,
        "rows_rejected": 0,
        "seconds": round(seconds, 3),
        "how": f"{done.how}: {done.why}" if done.why else done.how,
        "changes_read": done.changes,
        "written": done.done.written,
        "deleted": done.done.deleted,
        "embedded": done.done.texts.embedded,
        "truncated": done.done.texts.truncated,
        "lance_versions": done.lance_versions,
    }


@dg.asset(
    key=["unified", "embeddings"],
    group_name="vectors",
    kinds={"postgres"},
    owners=["team:data"],
    description="The vectors of all documents in PostgreSQL (pgvector), for joins in SQL under row-level security.",
    deps=[dg.AssetKey(["vectors", name]) for name in TABLES],
    automation_condition=follow(),
)
def embeddings(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult[Any]:
    """Copy what changed; without pgvector say so, and do nothing."""
    from sonik_assets.vectors.pgvector import copy

    started = time.monotonic()
    done = copy(stores.settings(), stores.endpoints().postgres)
    if done is None:
        context.log.warning("this server has no pgvector, or we may not create it: unified.embeddings is left out")
        return dg.MaterializeResult(metadata={"rows_out": 0, "left_out": "the server has no pgvector"})
    return dg.MaterializeResult(
        metadata={
            "rows_in": done.rows,
            "rows_out": done.rows,
            "rows_rejected": 0,
            "seconds": round(time.monotonic() - started, 3),
            "how": f"compared: {done.why}" if done.why else "followed",
            "changes_read": done.changes,
            "written": done.written,
            "deleted": done.deleted,
        },
        data_version=version(context, context.asset_key, changed=done.written + done.deleted > 0),
    )


class Upkeep(dg.Config):
    """`erase`: nothing stays on the disk but the present rows. For when somebody has to be forgotten today."""

    erase: bool = False


@dg.asset(
    key=["vectors", "upkeep"],
    deps=[dg.AssetKey(["vectors", name]) for name in TABLES],
    group_name="vectors",
    pool="lancedb",
    kinds={"lancedb"},
    owners=["team:data"],
    description="Every night: all rows into the indexes, versions older than a week off the disk.",
)
def vectors_upkeep(config: Upkeep, stores: Stores) -> dg.MaterializeResult[Any]:
    """Keep all tables that there are."""
    from resources.stores import lancedb
    from sonik_assets.vectors.upkeep import erase_deleted, sweep, upkeep

    started, keep = time.monotonic(), erase_deleted if config.erase else upkeep
    settings, postgres = stores.settings(), stores.endpoints().postgres
    there = set(lancedb.table_names(lancedb.connect(settings.lancedb_uri)))
    kept = [keep(settings, postgres, name) for name in TABLES if name in there]
    return dg.MaterializeResult(
        metadata={
            "seconds": round(time.monotonic() - started, 3),
            "cleaned": sum(each.cleaned for each in kept),
            "vectors_swept": sweep(settings, postgres, at_once=config.erase),
            "tables": dg.MetadataValue.md(_table(kept)),
        }
    )


def _table(kept: "list[Kept]") -> str:
    lines = [f"| {each.table} | {each.rows:,} | {each.cleaned} | {each.versions} |" for each in kept]
    return "\n".join(["| table | rows | versions removed | left |", "|---|--:|--:|--:|", *lines])


ASSETS = [*(vector_asset(table) for table in TABLES.values()), embeddings, vectors_upkeep]
