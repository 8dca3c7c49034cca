"""The assets report what they did, and the check sees what is missing or too much."""

import dagster as dg
import pytest
from falkordb import FalkorDB

from resources.embedded import Endpoints
from sonik_assets.changes import slot
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.assets import ASSETS, repair
from sonik_assets.graph.checks import CHECKS
from tests.support.stores import FixedStores
from tests.support.unified import World


@pytest.fixture
def stores(database: str, endpoints: Endpoints) -> FixedStores:
    return FixedStores(postgres_url=database, falkordb_url=endpoints.falkordb)


def run(stores: FixedStores, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    """Materialize all graphs, mend them, and check them."""
    return execute(dg.Definitions(assets=ASSETS, asset_checks=CHECKS, resources={"stores": stores}), instance)


def execute(definitions: dg.Definitions, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    """Run everything that is defined."""
    job = definitions.resolve_implicit_global_asset_job_def()
    instance = instance or dg.DagsterInstance.ephemeral()
    return job.execute_in_process(raise_on_error=False, instance=instance)


def test_each_graph_reports_rows_writes_and_how_it_looks(world: World, falkordb: FalkorDB, stores: FixedStores) -> None:
    leo, ana = world.entity("Person", "Leo"), world.entity("Person", "Ana")
    world.relate(("Person", leo), "REFERRED", ("Person", ana))
    with dg.DagsterInstance.ephemeral() as instance:
        first = run(stores, instance)
        world.entity("Person", "Eva")
        second, third = run(stores, instance), run(stores, instance)
    for result, writes, anew in ((first, 3, "there is no graph yet"), (second, 1, "no"), (third, 0, "no")):
        assert result.success
        (event,) = result.asset_materializations_for_node("graph__operations")
        assert event.metadata["graph_writes"].value == writes
        assert event.metadata["made_anew"].value == anew
        (mended,) = result.asset_materializations_for_node("graph__repair")
        assert mended.metadata["graph_writes"].value == 0
        assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    (event,) = second.asset_materializations_for_node("graph__operations")
    assert event.metadata["rows_out"].value == 4
    assert "| Person | 3 | 2 | +1 |" in str(event.metadata["counts"].value)
    assert "data:image/svg+xml;base64," in str(event.metadata["neighbourhood"].value)


def test_the_check_blocks_names_what_differs_and_repair_mends_it(
    world: World, falkordb: FalkorDB, stores: FixedStores
) -> None:
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
    mended = execute(dg.Definitions(assets=[repair], resources={"stores": stores}))
    (event,) = mended.asset_materializations_for_node("graph__repair")
    assert "| Person | 1 | 0 | 0 |" in str(event.metadata["differences"].value)
    assert run(stores).success


def test_a_number_that_no_graph_can_hold_is_named(world: World, falkordb: FalkorDB, stores: FixedStores) -> None:
    odd = world.add("unified.tickets", tier="odd", price=float("inf"))
    result = run(stores)
    assert result.success
    (event,) = result.asset_materializations_for_node("graph__operations")
    assert event.metadata["refused"].value == [f"Ticket {odd} price Infinity"]
    assert event.metadata["rows_rejected"].value == 1


def test_a_slot_that_nobody_reads_is_an_alert(world: World, falkordb: FalkorDB, stores: FixedStores) -> None:
    assert run(stores).success
    slot.drop(world.pg)
    result = execute(dg.Definitions(asset_checks=CHECKS, resources={"stores": stores}))
    (bad,) = (found for found in result.get_asset_check_evaluations() if not found.passed)
    assert (bad.check_name, bad.severity) == ("change_feed_is_read", dg.AssetCheckSeverity.ERROR)


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
