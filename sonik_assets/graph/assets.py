"""The three graphs as assets. The work is in `project.py`; here are keys, dependencies and metadata only."""

import time
from typing import TYPE_CHECKING

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow, version
from sonik_assets.graph import schema
from sonik_assets.unified.checks import GATE

if TYPE_CHECKING:
    from sonik_assets.graph.project import Counts

PURPOSE = {
    schema.OPERATIONS: "Events, venues, people, attribution: who plays, promotes, shares, attends and buys.",
    schema.KNOWLEDGE: "Features, flags, code, concepts, and what they do for revenue and sentiment.",
    schema.AGENT_MEMORY: "What agents remembered, asked and touched, beside what they wrote themselves.",
}


def graph_asset(graph: str) -> dg.AssetsDefinition:
    """Return the asset `graph/<graph>`, which makes that graph equal to `unified.*`."""

    @dg.asset(
        key=["graph", graph],
        group_name="graph",
        pool="falkordb",
        kinds={"falkordb"},
        owners=["team:data"],
        description=PURPOSE[graph],
        deps=GATE | {dg.AssetKey(["unified", relation]) for relation in schema.relations_of(graph)},
        automation_condition=follow(),
    )
    def _graph(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from sonik_assets.graph.project import project

        started = time.monotonic()
        with stores.postgres() as pg:
            done = project(pg, stores.falkordb(), graph)
        kept = version(context, context.asset_key, changed=done.written > 0)
        return dg.MaterializeResult(metadata=_metadata(done, time.monotonic() - started), data_version=kept)

    return _graph


def _metadata(done: "Counts", seconds: float) -> dict[str, dg.MetadataValue]:
    return {
        "rows_in": dg.MetadataValue.int(done.rows + done.rejected),
        "rows_out": dg.MetadataValue.int(done.rows),
        "rows_rejected": dg.MetadataValue.int(done.rejected),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        "graph_writes": dg.MetadataValue.int(done.written),
        "counts": dg.MetadataValue.md(_table(done)),
    }


def _table(done: "Counts") -> str:
    lines = ["| | rows | written | deleted | dangling |", "|---|--:|--:|--:|--:|"]
    for name, change in (done.labels | done.types).items():
        lines.append(f"| {name} | {change.rows} | {change.upserted} | {change.deleted} | {change.dangling} |")
    return "\n".join(lines)


ASSETS = [graph_asset(graph) for graph in schema.GRAPHS]
