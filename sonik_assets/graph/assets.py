"""The three graphs as assets, and their repair. The work is in `sync.py` and `mend.py`; here are keys and metadata."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow, version
from sonik_assets.graph import schema
from sonik_assets.unified.checks import GATE

if TYPE_CHECKING:
    from falkordb import FalkorDB

    from sonik_assets.graph.parity import Parity
    from sonik_assets.graph.sync import Synced

PURPOSE = {
    schema.OPERATIONS: "Events, venues, people, attribution: who plays, promotes, shares, attends and buys.",
    schema.KNOWLEDGE: "Features, flags, code, concepts, and what they do for revenue and sentiment.",
    schema.AGENT_MEMORY: "What agents remembered, asked and touched, beside what they wrote themselves.",
}
COUNTED = "counted"
"""Metadata that the next run compares with: rows by label and type."""


def graph_asset(graph: str) -> dg.AssetsDefinition:
    """Return the asset `graph/<graph>`, which brings that graph up to where `unified.*` is."""

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
        from sonik_assets.graph.contents import refused, undeclared
        from sonik_assets.graph.sync import sync

        started = time.monotonic()
        client = stores.falkordb()
        done = sync(stores.endpoints().postgres, client, graph)
        context.log.info(_story(done))
        with stores.postgres() as pg:
            odd, unknown = list(refused(pg, graph)), undeclared(pg, graph)
            (waiting,) = pg.execute("select count(*) from ops.waiting_edges where graph = %s", [graph]).fetchone() or (
                0,
            )
        counts, pictures = _looks(context, client, graph)
        return dg.MaterializeResult(
            metadata={
                "rows_in": sum(counts.values()) + waiting + unknown + len(odd),
                "rows_out": sum(counts.values()),
                "rows_rejected": waiting + unknown + len(odd),
                "seconds": round(time.monotonic() - started, 3),
                "graph_writes": done.written,
                "changes_read": done.changed,
                "made_anew": done.rebuilt or "no",
                "waiting_edges": waiting,
                "refused": dg.MetadataValue.json([" ".join(row) for row in odd[:20]]),
                **pictures,
            },
            data_version=version(context, context.asset_key, changed=done.written > 0),
        )

    return _graph


@dg.asset(
    key=["graph", "repair"],
    deps=[dg.AssetKey(["graph", graph]) for graph in schema.GRAPHS],
    group_name="graph",
    pool="falkordb",
    kinds={"falkordb"},
    owners=["team:data"],
    description="Compares every graph with the unified tables, writes what differs, and says what it was. By hand.",
)
def repair(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Mend all three graphs."""
    from sonik_assets.graph.mend import mend

    started, written, lines = (
        time.monotonic(),
        0,
        ["| | missing | too much | different | such as |", "|---|--:|--:|--:|---|"],
    )
    with stores.postgres() as pg:
        pg.commit()
        pg.autocommit = True
        for graph in schema.GRAPHS:
            broken, done = mend(pg, stores.falkordb(), graph)
            written += done.written
            lines += [_difference(each) for each in broken]
            context.log.info(f"{graph}: {len(broken)} labels and types differed, {done.written} writes")
    return dg.MaterializeResult(
        metadata={
            "graph_writes": written,
            "seconds": round(time.monotonic() - started, 3),
            "differences": dg.MetadataValue.md("\n".join(lines) if len(lines) > 2 else "None: all graphs were right."),
        }
    )


def _difference(each: "Parity") -> str:
    sample = ", ".join((*each.missing, *each.surplus, *each.different)[:3])
    return f"| {each.part.name} | {len(each.missing)} | {len(each.surplus)} | {len(each.different)} | {sample} |"


def _story(done: "Synced") -> str:
    if done.rebuilt:
        return f"graph {done.graph} was made anew ({done.rebuilt}): {done.loaded} nodes and edges in bulk"
    return f"graph {done.graph}: {done.changed} changed rows of the log, {done.written} writes"


def _looks(context: dg.AssetExecutionContext, client: "FalkorDB", graph: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Return rows by label and type, and how the graph looks: counts against last time and a neighbourhood."""
    from sonik_assets.graph.contents import counts
    from sonik_assets.graph.neighbourhood import neighbourhood
    from sonik_assets.graph.picture import as_markdown, counts_table, svg

    selected = client.select_graph(graph)
    found = counts(selected)
    now = found["labels"] | found["types"]
    return now, {
        "counts": dg.MetadataValue.md(counts_table(now, _last(context))),
        "neighbourhood": dg.MetadataValue.md(as_markdown(svg(neighbourhood(selected)))),
        COUNTED: dg.MetadataValue.json(now),
    }


def _last(context: dg.AssetExecutionContext) -> Mapping[str, int] | None:
    event = context.instance.get_latest_materialization_event(context.asset_key)
    metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
    value = metadata[COUNTED].value if COUNTED in metadata else None
    return value if isinstance(value, Mapping) else None


ASSETS = [*(graph_asset(graph) for graph in schema.GRAPHS), repair]
