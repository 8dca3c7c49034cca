"""What Dagster is told of a model, with rows from a real server and the rest of dbt made up."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import psycopg
import pytest

from sonik_assets.unified.telling import told

KEY, SOURCE = dg.AssetKey(["unified", "things"]), dg.AssetKey(["raw_directus", "venues"])
VIEW, LAST = dg.AssetKey(["staging", "venues"]), dg.AssetKey(["unified", "all_things"])
CONTEXT: Any = SimpleNamespace(
    selected_asset_keys={KEY, VIEW, LAST},
    asset_key_for_output=lambda name: {"out": KEY}[name],
    assets_def=SimpleNamespace(
        asset_deps={KEY: {SOURCE}, VIEW: {SOURCE}, LAST: {KEY}},
        get_output_name_for_asset_key=lambda key: {VIEW: "view", LAST: "last"}[key],
    ),
)
MANIFEST = {
    "nodes": {
        "model.things": {
            "package_name": "sonik",
            "original_file_path": "models/things.sql",
            "depends_on": {"nodes": ["source.venues"]},
        }
    },
    "sources": {
        "source.venues": {
            "unique_id": "source.venues",
            "schema": "raw_directus",
            "identifier": "venues",
            "columns": {"payload": {"data_type": "jsonb"}},
        }
    },
}


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        connection.execute("create schema raw_directus; create schema unified")
        connection.execute("create table raw_directus.venues as select '{}'::jsonb as payload, generate_series(1, 5)")
        connection.execute("create table unified.things as select 'x' as name, generate_series(1, 3)")
        connection.commit()
        yield connection


def invocation(target: Path, compiled: str) -> Any:
    path = target / "compiled/sonik/models/things.sql"
    path.parent.mkdir(parents=True)
    path.write_text(compiled)
    translator = SimpleNamespace(get_asset_key=lambda node: {"venues": SOURCE}[node["identifier"]])
    return SimpleNamespace(manifest=MANIFEST, target_path=target, dagster_dbt_translator=translator)


def built() -> dg.Output[None]:
    return dg.Output(None, "out", metadata={"unique_id": "model.things", "Execution Duration": 0.25})


def test_a_model_tells_its_rows_and_what_its_columns_are_made_of(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    run = invocation(tmp_path, "select payload ->> 'name' as name, 1 as one from raw_directus.venues")
    (output,) = told(CONTEXT, run, [built()], connection)
    said = {name: value.value for name, value in output.metadata.items()}
    lineage = said.pop("dagster/column_lineage").deps_by_column
    assert {name: list(deps) for name, deps in lineage.items()} == {
        "name": [dg.TableColumnDep(SOURCE, "payload")],
        "one": [],
    }
    assert said == {
        "unique_id": "model.things",
        "Execution Duration": 0.25,
        "seconds": 0.25,
        "rows_in": 5,
        "rows_out": 3,
        "rows_rejected": 0,
    }


def test_what_cannot_be_followed_or_is_no_model_stops_nothing(connection: psycopg.Connection, tmp_path: Path) -> None:
    check = dg.AssetCheckResult(passed=True, asset_key=KEY, check_name="c")
    output, same = told(CONTEXT, invocation(tmp_path, "selec nothing"), [built(), check], connection)
    assert same is check
    assert "dagster/column_lineage" not in output.metadata
    assert output.metadata["rows_out"].value == 3


def test_views_left_alone_are_told_before_what_reads_them_and_after_what_they_read(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute("create schema staging; create view staging.venues as select * from raw_directus.venues")
    connection.execute("create view unified.all_things as select * from unified.things")
    context = SimpleNamespace(**vars(CONTEXT))
    context.assets_def = SimpleNamespace(**vars(CONTEXT.assets_def))
    context.assets_def.asset_deps = CONTEXT.assets_def.asset_deps | {KEY: {VIEW}}
    lineage = dg.MetadataValue.column_lineage(dg.TableColumnLineage({"name": []}))
    before = dg.AssetMaterialization("x", metadata={"dagster/column_lineage": lineage, "rows_out": 1, "seconds": 9.0})
    run = invocation(tmp_path, "select 1 as one")
    told_now = list(told(context, run, [built()], connection, {LAST: before, VIEW: before}))
    assert [output.output_name for output in told_now] == ["view", "out", "last"]
    said = {name: value.value for name, value in told_now[0].metadata.items()}
    assert said.pop("dagster/column_lineage") == lineage.value
    assert said == {"rows_in": 5, "rows_out": 5, "rows_rejected": 0, "seconds": 0.0, "made": "before, by the same text"}
    assert told_now[2].metadata["rows_out"].value == 3
    alone = list(told(context, None, (), connection, {VIEW: before}))
    assert [output.output_name for output in alone] == ["view"]


def test_a_failure_leaves_only_what_reads_it_untold(connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute("create schema staging; create view staging.venues as select * from raw_directus.venues")
    run, before = invocation(tmp_path, "select 1 as one"), dg.AssetMaterialization("x")

    def events() -> Iterator[Any]:
        raise dg.Failure("dbt failed")
        yield

    said: list[Any] = []
    with pytest.raises(dg.Failure):
        said.extend(told(CONTEXT, run, events(), connection, {LAST: before, VIEW: before}))
    assert [output.output_name for output in said] == ["view"]
