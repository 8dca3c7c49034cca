"""What the dbt project says of itself: asked of the manifest alone, no server and no run of dbt."""

import json
from typing import Any

import pytest

from resources.sources.catalogue import TABLES as SOURCE_TABLES
from sonik_assets.graph import schema
from sonik_assets.unified import dbt
from sonik_assets.vectors.documents import TABLES as VECTOR_TABLES

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest() -> Node:
    found: Node = json.loads(dbt.manifest().read_text())
    return found


@pytest.fixture(scope="module")
def models(manifest: Node) -> dict[str, Node]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def undescribed(nodes: dict[str, Node]) -> list[str]:
    """Return what has no description, no columns, or a column without a description or a type."""
    whole = [name for name, node in nodes.items() if not node["description"] or not node["columns"]]
    columns = ((f"{name}.{c}", told) for name, node in nodes.items() for c, told in node["columns"].items())
    return whole + [name for name, told in columns if not told["description"] or not told["data_type"]]


def test_every_model_and_column_is_described(models: dict[str, Node]) -> None:
    assert len(models) > 75
    assert undescribed(models) == []


def test_every_model_is_under_contract(models: dict[str, Node]) -> None:
    assert {model["schema"] for model in models.values()} == {"staging", "unified", "marts"}
    assert [name for name, model in models.items() if not model["config"]["contract"]["enforced"]] == []


def test_tables_are_made_once_and_filled_by_one_strategy(models: dict[str, Node]) -> None:
    tables = {name: model["config"] for name, model in models.items() if model["config"]["materialized"] != "view"}
    assert {model["schema"] for name, model in models.items() if name in tables} == {"unified", "marts"}
    assert {config["materialized"] for config in tables.values()} == {"incremental"}
    assert {config["incremental_strategy"] for config in tables.values()} == {"changed_rows"}
    assert [name for name, config in tables.items() if config["full_refresh"] is not False] == []


def test_every_source_and_its_columns_are_described(manifest: Node) -> None:
    sources = {f"{each['source_name']}.{each['name']}": each for each in manifest["sources"].values()}
    assert undescribed(sources) == []
    assert all(each["source_description"] for each in sources.values())


def test_every_table_that_is_read_from_outside_has_freshness(manifest: Node) -> None:
    fresh = {
        f"{each['source_name']}.{each['name']}": each["freshness"]
        for each in manifest["sources"].values()
        if each["loaded_at_query"] and each["freshness"]["error_after"]["count"]
    }
    assert {name for name in fresh if not name.startswith("raw_")} == set()
    # Webhooks only mark records of the other tables; no model reads them.
    assert set(fresh) == {table.relation for table in SOURCE_TABLES} - {"raw_twenty.webhooks"}
    hours = {(each["warn_after"]["count"], each["error_after"]["count"]) for each in fresh.values()}
    assert hours == {(26, 50)}


def test_bad_data_of_a_source_only_warns(manifest: Node) -> None:
    """Tests that fail stop what follows: those that look at what sources told must not."""
    of_sources = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and any(each.startswith("source.") for each in node["depends_on"]["nodes"])
    ]
    assert len(of_sources) >= 18
    assert {node["config"]["severity"].lower() for node in of_sources} == {"warn"}


def test_unreadable_values_are_looked_for_where_a_number_or_a_time_is_read(manifest: Node, models: Any) -> None:
    checked = {
        node["attached_node"].rsplit(".", 1)[-1]: set(node["test_metadata"]["kwargs"]["fields"])
        for node in manifest["nodes"].values()
        if node.get("test_metadata", {}).get("name") == "reads_every_value"
    }
    # Clocks of ours; of so many rows that looking costs too much; with another clock to fall back to.
    apart = {"updated_at", "first_seen_at", "changed_at", "deleted_at"}
    elsewhere = {("stg_mongo__engagement", "at"), ("stg_mongo__transactions", "at")}
    missed = {
        (name, column)
        for name, model in models.items()
        if name.startswith("stg_")
        for column, told in model["columns"].items()
        if told["data_type"] not in ("text", "text[]", "jsonb") and column not in apart | checked.get(name, set())
    }
    assert missed == elsewhere


def test_exposures_read_what_the_code_reads(manifest: Node) -> None:
    exposures = {
        each["name"]: {name.rsplit(".", 1)[-1] for name in each["depends_on"]["nodes"]}
        for each in manifest["exposures"].values()
    }
    graphs = (schema.OPERATIONS, schema.KNOWLEDGE, schema.AGENT_MEMORY)
    assert exposures["graphs"] == {relation for graph in graphs for relation in schema.relations_of(graph)}
    assert exposures["vectors"] == {relation for table in VECTOR_TABLES.values() for relation in table.reads}
    assert exposures["whats_on_tonight"] == {"whats_on"}
    assert exposures["organizers_to_call"] == {"organizer_leads"}


def test_every_mart_is_read_by_something(manifest: Node, models: dict[str, Node]) -> None:
    marts = {model["unique_id"] for model in models.values() if model["schema"] == "marts"}
    assert {mart for mart in marts if not manifest["child_map"][mart]} == set()
