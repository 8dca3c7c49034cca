"""What Dagster is told of each model that dbt has built: rows, seconds, and which columns its columns are made of.

How rows are counted is in `row_counts.py`, how lineage is read in `lineage.py`; a model's columns themselves are told
by its contract, with the asset.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import dagster as dg

from sonik_assets.unified.lineage import lineage_of
from sonik_assets.unified.row_counts import RowCounts

if TYPE_CHECKING:
    import psycopg
    from dagster_dbt import DbtCliInvocation

_OF_THE_TEXT = ("unique_id", "dagster/column_lineage")


def told(
    context: dg.AssetExecutionContext,
    invocation: "DbtCliInvocation | None",
    events: Iterable[Any],
    connection: "psycopg.Connection[Any]",
    alone: Mapping[dg.AssetKey, dg.AssetMaterialization] = MappingProxyType({}),
) -> Iterator[Any]:
    """Add to each model's output what is known of it, in the words of the other stages.

    Rows in are those of the relations it reads. A model rejects none: raw has done so before. The connection must see
    what others commit: autocommit. `alone`: views that dbt leaves alone, and what was told of them when they were made;
    each is told as soon as what it reads in this step is, whatever becomes of the rest.
    """
    counts, waiting, done = RowCounts(connection), dict(alone), set[dg.AssetKey]()

    def ready() -> Iterator[dg.Output[None]]:
        here = context.selected_asset_keys
        while found := [key for key in sorted(waiting) if not (context.assets_def.asset_deps[key] & here) - done]:
            for key in found:
                before = waiting.pop(key).metadata
                kept = {name: before[name] for name in _OF_THE_TEXT if name in before}
                said = {**kept, **_counted(context, key, counts, 0.0), "made": "before, by the same text"}
                done.add(key)
                yield dg.Output(None, context.assets_def.get_output_name_for_asset_key(key), metadata=said)

    yield from ready()
    for event in events:
        if isinstance(event, dg.Output) and invocation:
            key = context.asset_key_for_output(event.output_name)
            seconds = event.metadata.get("Execution Duration")
            said = _counted(context, key, counts, float(str(seconds.value)) if seconds else 0.0)
            said |= _column_lineage(invocation, str(event.metadata["unique_id"].value))
            yield event.with_metadata({**event.metadata, **said})
            done.add(key)
            yield from ready()
        else:
            yield event


def told_before(
    context: dg.AssetExecutionContext, keys: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, dg.AssetMaterialization]:
    """Return what Dagster was told of each model when it was last made; without those it knows nothing of.

    Somebody may have reported one as made by hand, which tells nothing of its text.
    """
    events = {key: context.instance.get_latest_materialization_event(key) for key in keys}
    found = {key: event.asset_materialization for key, event in events.items() if event and event.asset_materialization}
    return {key: told for key, told in found.items() if "unique_id" in told.metadata}


def _counted(context: dg.AssetExecutionContext, key: dg.AssetKey, counts: RowCounts, seconds: float) -> dict[str, Any]:
    said: dict[str, Any] = {"rows_rejected": 0, "seconds": seconds}
    for name, keys in {"rows_in": sorted(context.assets_def.asset_deps[key]), "rows_out": [key]}.items():
        if (rows := counts.of_all([tuple(each.path) for each in keys])) is not None:
            said |= rows.said(name)
    return said


def _column_lineage(invocation: "DbtCliInvocation", unique_id: str) -> dict[str, Any]:
    manifest = invocation.manifest
    node = manifest["nodes"][unique_id]
    compiled = invocation.target_path / "compiled" / node["package_name"] / node["original_file_path"]
    columns = lineage_of(manifest, unique_id, compiled.read_text())
    if not columns:
        return {}
    made_of = {c: [dg.TableColumnDep(_key(invocation, parent), name) for parent, name in columns[c]] for c in columns}
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(made_of))}


def _key(invocation: "DbtCliInvocation", unique_id: str) -> dg.AssetKey:
    manifest: Mapping[str, Any] = invocation.manifest
    node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
    return invocation.dagster_dbt_translator.get_asset_key(node)
