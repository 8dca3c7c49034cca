"""What Dagster is told of each model that dbt has built: rows, seconds, and which columns its columns are made of.

How rows are counted is in `row_counts.py`, how lineage is read in `lineage.py`; a model's columns themselves are told
by its contract, with the asset.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from sonik_assets.unified.lineage import lineage_of
from sonik_assets.unified.row_counts import RowCounts

if TYPE_CHECKING:
    import psycopg
    from dagster_dbt import DbtCliInvocation


def told(
    context: dg.AssetExecutionContext,
    invocation: "DbtCliInvocation",
    events: Iterable[Any],
    connection: "psycopg.Connection[Any]",
) -> Iterator[Any]:
    """Add to each model's output what is known of it, in the words of the other stages.

    Rows in are those of the relations it reads. A model rejects none: raw has done so before.
    """
    connection.autocommit = True  # each count sees what dbt has just committed
    counts = RowCounts(connection)
    for event in events:
        if isinstance(event, dg.Output):
            key = context.asset_key_for_output(event.output_name)
            reads = sorted(context.assets_def.asset_deps[key])
            seconds = event.metadata.get("Execution Duration")
            said: dict[str, Any] = {"rows_rejected": 0, "seconds": float(str(seconds.value)) if seconds else 0.0}
            for name, keys in {"rows_in": reads, "rows_out": [key]}.items():
                if (rows := counts.of_all([tuple(each.path) for each in keys])) is not None:
                    said |= rows.said(name)
            said |= _column_lineage(invocation, str(event.metadata["unique_id"].value))
            event = event.with_metadata({**event.metadata, **said})
        yield event


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
