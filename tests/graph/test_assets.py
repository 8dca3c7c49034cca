"""The assets report what they did, and the check sees what is missing or too much."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg
import pytest
from falkordb import FalkorDB

from resources.dagster import Stores
from resources.embedded import Endpoints
from resources.stores import falkordb as falkordb_store
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.assets import ASSETS
from sonik_assets.graph.checks import CHECKS
from tests.support.unified import World


class FixedStores(Stores):
    """Stores at given addresses."""

    postgres_url: str
    falkordb_url: str

    @contextmanager
    def postgres(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.postgres_url) as connection:
            yield connection

    def falkordb(self) -> FalkorDB:
        return falkordb_store.connect(self.falkordb_url)


@pytest.fixture
def stores(database: str, endpoints: Endpoints) -> FixedStores:
    return FixedStores(postgres_url=database, falkordb_url=endpoints.falkordb)


def run(stores: FixedStores) -> dg.ExecuteInProcessResult:
    """Materialize all graphs with their checks."""
    return execute(dg.Definitions(assets=ASSETS, asset_checks=CHECKS, resources={"stores": stores}))


def execute(definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
    """Run everything that is defined."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(raise_on_error=False)


def test_each_graph_reports_rows_and_writes(world: World, falkordb: FalkorDB, stores: FixedStores) -> None:
    world.entity("Person", "Leo")
    first, again = run(stores), run(stores)
    assert first.success
    assert again.success
    for result, writes in ((first, 1), (again, 0)):
        (event,) = result.asset_materializations_for_node("graph__operations")
        assert event.metadata["graph_writes"].value == writes
        assert event.metadata["rows_out"].value == 1
        assert "| Person | 1 |" in str(event.metadata["counts"].value)
    assert all(evaluation.passed for evaluation in again.get_asset_check_evaluations())


def test_the_check_blocks_and_names_what_differs(world: World, falkordb: FalkorDB, stores: FixedStores) -> None:
    leo = world.entity("Person", "Leo")
    assert run(stores).success
    cypher.write(falkordb.select_graph("operations"), "MATCH (n:Person) DELETE n")
    result = execute(dg.Definitions(asset_checks=CHECKS, resources={"stores": stores}))
    (bad,) = (found for found in result.get_asset_check_evaluations() if not found.passed)
    assert bad.asset_key == dg.AssetKey(["graph", "operations"])
    assert bad.metadata["sample"].value == [f"Person {leo}"]
    assert bad.metadata["missing"].value == 1
    assert bad.blocking
    assert bad.severity == dg.AssetCheckSeverity.ERROR


def test_every_name_of_the_contract_is_declared() -> None:
    labels = {graph: {label.name for label in schema.labels_of(graph)} for graph in schema.GRAPHS}
    assert labels["operations"] == {
        "Person",
        "Venue",
        "Event",
        "Organization",
        "Artist",
        "Brand",
        "Campaign",
        "Content",
        "Market",
        "Channel",
        "Ticket",
        "Purchase",
    }
    assert labels["knowledge"] == {"Feature", "FeatureFlag", "CodeModule", "Concept", "Revenue", "Sentiment"}
    assert labels["agent_memory"] == {"Session", "Memory", "Query", "Reference"}
    types = {graph: {edge.name for edge in schema.edge_types_of(graph)} for graph in schema.GRAPHS}
    assert types["operations"] == {
        "OWNS",
        "MANAGES",
        "PERFORMS_AT",
        "HOSTED_BY",
        "PROMOTED_BY",
        "WORKS_FOR",
        "SHARED",
        "ATTENDED",
        "PURCHASED",
        "REFERRED",
        "INFLUENCED",
        "CONVERTED_VIA",
    }
    assert types["knowledge"] == {"DEPENDS_ON", "IMPLEMENTS", "IMPACTS", "ENABLES", "RELATES_TO"}
    assert types["agent_memory"] == {"HAS_MEMORY", "ASKED", "TOUCHED"}
