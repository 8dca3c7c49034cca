"""`sonik demo` from the exports to the cache: what the first run leaves, what the second does, what people read."""

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from resources.sources import exports
from tests.support.cutting import BROKEN
from tests.support.demos import ROOT, Demo

STAGES = ("raw", "staging", "identity", "unified", "marts", "graph", "vectors", "cache")
ENTITIES = {"person", "venue", "organization", "artist", "brand", "event"}
# From the contract (model.md), not from the code under test.
LABELS = (
    "Person Venue Event Organization Artist Brand Campaign Content Market Channel Ticket Purchase "
    "Feature FeatureFlag CodeModule Concept Revenue Sentiment Session Memory Query"
)
TYPES = (
    "OWNS MANAGES PERFORMS_AT HOSTED_BY PROMOTED_BY WORKS_FOR SHARED ATTENDED PURCHASED REFERRED INFLUENCED "
    "CONVERTED_VIA DEPENDS_ON IMPLEMENTS IMPACTS ENABLES RELATES_TO HAS_MEMORY ASKED TOUCHED"
)
VECTORS = {"entities", "events", "content", "concepts"}
ALWAYS = "--from", "2026-01-01"


def test_report_has_every_figure(first: Demo) -> None:
    report = first.reports[0]
    assert set(report["stages"]) == set(STAGES)
    assert [name for name, figures in report["stages"].items() if not (figures["rows"] > 0 < figures["seconds"])] == []
    assert report["checks"]["failed"] == 0 < report["checks"]["passed"]
    assert {name for name, count in report["entities"].items() if count > 0} == ENTITIES
    assert report["graph"]["nodes"] == sum(report["graph"]["labels"].values())
    assert report["graph"]["edges"] == sum(report["graph"]["types"].values())
    assert {name for name, count in report["vectors"].items() if count > 0} == VECTORS
    assert len(report["ids_sha256"]) == 64
    assert set(report["written"]) == {"rows", "graph_writes", "lance_versions"}
    assert all(count > 0 for count in report["written"].values())


def test_every_label_and_edge_type_has_some(first: Demo) -> None:
    graph = first.reports[0]["graph"]
    assert set(LABELS.split()) - {name for name, count in graph["labels"].items() if count > 0} == set()
    assert set(TYPES.split()) - {name for name, count in graph["types"].items() if count > 0} == set()


def test_a_person_sees_each_stage_the_table_and_what_to_try(first: Demo) -> None:
    shown = first.output[0]
    assert all(name in shown for name in (*STAGES, "checks", "demo_report.json", "sonik whatson", "sonik search"))


def test_bad_lines_are_dead_letters_with_their_reason(first: Demo) -> None:
    found = dict(first.ask("select reason, payload from raw.dead_letters"))
    for wanted, line in BROKEN.items():
        assert [payload for reason, payload in found.items() if wanted in reason] == [line]
    assert first.reports[0]["dead_letters"] == len(found)


def test_all_days_ran_as_one_run_and_each_is_materialised(first: Demo) -> None:
    days = first.reports[0]["days"]
    assert days == list(exports.span(first.exports))
    (runs,) = first.ask(
        "select count(*), min(run_id) from runs where create_timestamp <= (select min(create_timestamp) from runs)",
        database="dagster",
    )
    assert runs == (1, first.reports[0]["run_id"])
    recorded = first.ask(
        "select asset_key, count(distinct partition), min(partition), max(partition), count(distinct run_id)"
        " from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key like %s and run_id = %s"
        " group by 1",
        '["raw_%',
        first.reports[0]["run_id"],
        database="dagster",
    )
    (count,) = {row[1] for row in recorded}
    assert count >= 85
    assert {row[2:] for row in recorded} == {(*days, 1)}
    assert len(recorded) == 26


def test_the_stores_hold_the_same_ids(second: Demo) -> None:
    entities = {str(id) for (id,) in second.ask("select id from unified.entities where entity_type <> 'event'")}
    events = {str(id) for (id,) in second.ask("select id from unified.events")}
    content = {str(id) for (id,) in second.ask("select id from unified.content")}
    for name, ids in (("entities", entities), ("events", events), ("content", content)):
        assert {row["document_id"] for row in second.vectors(name, "document_id")} == ids
        copied = second.ask("select distinct document_id from unified.embeddings where table_name = %s", name)
        assert {str(id) for (id,) in copied} == ids
    labels = ("Person", "Venue", "Organization", "Artist", "Brand", "Event")
    nodes = [id for label in labels for (id,) in second.graph("operations", f"MATCH (n:{label}) RETURN n.id")]
    assert sorted(nodes) == sorted(entities | events)


def test_the_second_run_changes_nothing_and_says_so(second: Demo) -> None:
    before, after = second.reports[:2]
    assert after["written"] == {"rows": 0, "graph_writes": 0, "lance_versions": 0}
    same = ("ids_sha256", "entities", "graph", "vectors", "dead_letters")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert "Nothing changed" in second.output[1]
    assert "Nothing changed" not in second.output[0]


def test_views_are_made_once_and_tested_every_time(second: Demo) -> None:
    """Of a view that was left alone Dagster is told all the same: its rows, where its columns come from, its checks."""
    views = {
        tuple(row)
        for row in second.ask("select schemaname, viewname from pg_views where schemaname in ('staging', 'unified')")
    }
    made, left_alone, with_columns = Counter[Any](), Counter[Any](), Counter[Any]()
    told = "select asset_key, event from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    for key, event in second.ask(told, database="dagster"):
        if (view := tuple(json.loads(key))) in views:
            made[view] += "by the same text" not in event
            left_alone[view] += "by the same text" in event
            with_columns[view] += "TableColumnLineage" in event
    assert made == dict.fromkeys(views, 1)
    assert set(+left_alone) == views
    assert +with_columns == {view: made[view] + left_alone[view] for view in +with_columns}
    assert len(+with_columns) > 30
    checked = Counter(second.ask("select asset_key, check_name from asset_check_executions", database="dagster"))
    of_views = [times for (key, _), times in checked.items() if tuple(json.loads(key)) in views]
    assert len(of_views) > 15
    assert min(of_views) >= 2
    first, again = second.reports[:2]
    assert first["checks"] == again["checks"]


def test_whatson_lists_a_city(second: Demo) -> None:
    ((city, count),) = second.ask(
        "select city, count(*) from marts.whats_on where city is not null group by 1 order by 2 desc, 1 limit 1"
    )
    found = second.json("whatson", "--city", city.upper(), *ALWAYS, "--limit", "1000")
    assert {row["city"] for row in found} == {city}
    assert len(found) == count


def test_search_finds_an_event_by_its_name(second: Demo) -> None:
    ((name,),) = second.ask("select name from unified.events order by source_count desc, name limit 1")
    assert name in [row["name"] for row in second.json("search", name)]


def test_entity_show_tells_its_sources(second: Demo) -> None:
    ((id, count),) = second.ask(
        "select entity_id, count(*) from identity.entity_map where entity_type = 'venue' group by 1"
        " order by 2 desc limit 1"
    )
    shown = second.json("entity", "show", str(id))
    assert (shown["entity_type"], len(shown["records"])) == ("venue", count)


def test_path_leads_from_a_fan_to_a_venue(second: Demo) -> None:
    steps = (
        "MATCH (p:Person)-[:ATTENDED]->(:Event)-[:HOSTED_BY]->(v:Venue) RETURN p.id, v.id ORDER BY p.id, v.id LIMIT 1"
    )
    ((person, venue),) = second.graph("operations", steps)
    found = second.json("path", person, venue)
    assert found[-1]["to_id"] == venue
    assert all(row["why"] and 0 <= row["weight"] <= 1 for row in found)


def test_leads_and_queries_answer(second: Demo) -> None:
    assert second.json("leads")[0]["sentence"]
    names = {row["name"] for row in second.json("query")}
    assert {"artists_at_venue", "features_by_revenue_impact", "influencers"} <= names
    venue = "MATCH (:Artist)-[:PERFORMS_AT]->(:Event)-[:HOSTED_BY]->(v:Venue) RETURN v.id ORDER BY v.id LIMIT 1"
    ((id,),) = second.graph("operations", venue)
    assert second.json("query", "artists_at_venue", "--param", f"venue={id}")
    assert second.json("query", "features_by_revenue_impact")


@pytest.mark.parametrize(
    "arguments",
    [
        ("entity", "show", "Nobody at all"),
        ("entity", "show", "00000000-0000-7000-8000-000000000000"),
        ("path", "Nobody at all", "No place"),
        ("query", "no_such_query"),
    ],
)
def test_what_is_unknown_is_one_line_and_exit_1(second: Demo, arguments: tuple[str, ...]) -> None:
    done = second.sonik(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert arguments[-1] in done.stderr or arguments[1] in done.stderr


def test_dagster_works_from_the_root(second: Demo) -> None:
    script = """eval "$1" && dagster definitions validate && dagster asset list -m sonik_assets.definitions \
        && dagster job list"""
    done = subprocess.run(
        ["bash", "-c", script, "bash", second.sonik("env").stdout],
        env=second.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(name in done.stdout for name in ("unified/entities", "graph/operations", "everything"))
