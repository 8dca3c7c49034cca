"""The vector tables as assets. The work is in `sync.py`; here are keys, dependencies and metadata only."""

import time
from typing import TYPE_CHECKING

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow, version
from sonik_assets.unified.checks import GATE
from sonik_assets.vectors.documents import TABLES, Table

if TYPE_CHECKING:
    from sonik_assets.vectors.sync import Synced


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
        done = sync(stores.settings(), stores.endpoints().postgres, table.name)
        kept = version(context, context.asset_key, changed=done.lance_versions > 0)
        return dg.MaterializeResult(metadata=_metadata(done, time.monotonic() - started), data_version=kept)

    return _vectors


def _metadata(done: "Synced", seconds: float) -> dict[str, dg.MetadataValue]:
    return {
        "rows_in": dg.MetadataValue.int(done.rows),
        "rows_out": dg.MetadataValue.int(done.rows),
        "rows_rejected": dg.MetadataValue.int(0),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        "written": dg.MetadataValue.int(done.written),
        "deleted": dg.MetadataValue.int(done.deleted),
        "embedded": dg.MetadataValue.int(done.embedded),
        "truncated": dg.MetadataValue.int(done.truncated),
        "lance_versions": dg.MetadataValue.int(done.lance_versions),
    }


ASSETS = [vector_asset(table) for table in TABLES.values()]
