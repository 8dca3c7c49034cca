"""What changes after the first run: one late record, a check that fails, a file that is cut off."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import exports
from tests.support.cutting import BROKEN
from tests.support.demos import Demo

NEW_NAME = "Sala Cambiada de Nombre"
# Two events with one key: their constraint is gone (its name is not), and whoever writes one writes it wrong.
BREAK = """
alter table unified.events drop constraint events_event_key;
alter table unified.events add constraint events_event_key check (true);
create function unified.write_wrong_key() returns trigger language plpgsql as $$ begin
    new.event_key := (select min(event_key) from unified.events);
    return new;
end $$;
create trigger wrong_key before update on unified.events for each row
    when (new.event_key <> old.event_key) execute function unified.write_wrong_key();
update unified.events set event_key = 'wrong' where event_key = (select max(event_key) from unified.events);
"""
MEND = """
drop trigger wrong_key on unified.events;
drop function unified.write_wrong_key();
alter table unified.events drop constraint events_event_key;
"""


def test_a_failed_check_holds_a_change_back_and_the_next_run_lets_it_through(second: Demo) -> None:
    id, old_name = renamed_venue(second)
    before = second.downstream()
    known = ids(second)
    with broken_event_key(second):
        done = second.sonik("demo")
    assert name_of(second, id) == NEW_NAME, "the change must have reached PostgreSQL, or nothing was held back"
    assert done.returncode == 1
    assert "unified/events.one_event_per_event_key" in done.stderr.splitlines()[-1]
    assert json.loads((second.home / "demo_report.json").read_text())["checks"]["failed"] == 1
    assert second.downstream() == before

    report = second.demo()
    after = second.downstream()
    assert report["checks"]["failed"] == 0
    assert changed(before["nodes"]["operations"], after["nodes"]["operations"]) == {("Venue", id)}
    assert second.graph("operations", f"MATCH (v:Venue {{id: '{id}'}}) RETURN v.name") == [[NEW_NAME]]
    texts = {row["id"]: row["name"] for row in second.vectors("entities", "id", "name")}
    assert texts[id] == NEW_NAME != old_name
    assert ids(second) == known
    assert 0 < report["written"]["rows"] <= 40
    assert 0 < report["written"]["graph_writes"] <= 10


def test_a_file_that_is_cut_off_stops_the_run_before_anything_is_half_written(second: Demo) -> None:
    path = second.exports / "directus" / "events.ndjson.gz"
    whole, before, known = path.read_bytes(), second.downstream(), content(second)
    path.write_bytes(whole[: len(whole) // 2])
    try:
        # With the days given nothing looks at the files before the run does.
        for command in (("demo",), ("run", "--partitions", "2026-11-01..2026-11-02")):
            done = second.sonik(*command)
            assert (done.returncode, done.stdout) == (1, "")
            (line,) = [line for line in done.stderr.splitlines() if line.startswith("sonik: ")]
            assert str(path) in line
            assert "export it again or move it away" in line
    finally:
        path.write_bytes(whole)
    assert (second.downstream(), content(second)) == (before, known)
    done = second.sonik("run", "--partitions", "2026-11-01..2026-11-02", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["success"]
    assert report["ids_sha256"] == second.reports[-1]["ids_sha256"]
    assert report["written"] == {"rows": 0, "graph_writes": 0, "lance_versions": 0}


def renamed_venue(demo: Demo) -> tuple[str, str]:
    """Give a venue of the exports another name; return its entity and old name.

    One whose records state what it is, that nothing is only named after and nothing else is like: of another, records
    and mentions would rightly go elsewhere.
    """
    path = demo.exports / "directus" / "venues.ndjson.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    whole = {row["id"]: row for row in map(json.loads, lines[: -len(BROKEN)])}
    ((record, id, name),) = demo.ask(
        "select m.record_id, e.id::text, e.name from identity.entity_map as m"
        " inner join unified.entities as e on e.id = m.entity_id"
        " inner join raw_directus.venues as r on r.record_id = m.record_id"
        " inner join staging.mentions as s"
        " on (s.source, s.table_name, s.record_id) = (m.source, m.table_name, m.record_id)"
        " where m.source = 'directus' and m.table_name = 'venues' and r.source_updated_at < '2026-11-15'"
        " and m.record_id = any(%s) and s.google_place_id is not null and not exists ("
        "select from identity.entity_map as o where o.entity_id = e.id and o.linked_by <> 'google_places_id')"
        " order by exists (select from identity.candidates as c"
        " inner join identity.mentions as l on l.key in (c.left_key, c.right_key)"
        " left join identity.entity_map as o using (source, table_name, record_id)"
        " where concat('directus/venues/', m.record_id) in (c.left_key, c.right_key)"
        " and o.entity_id is distinct from e.id), e.id limit 1",
        list(whole),
    )
    whole[record] |= {"name": NEW_NAME, "date_updated": "2026-11-20T12:00:00.000Z"}
    exports.write(demo.exports, "directus/venues.ndjson.gz", *whole.values(), *BROKEN.values())
    return id, name


@contextmanager
def broken_event_key(demo: Demo) -> Iterator[None]:
    demo.ask(BREAK)
    try:
        yield
    finally:
        demo.ask(MEND)


def changed(before: list[Any], after: list[Any]) -> set[tuple[str, str]]:
    """Return (label, id) of the nodes that differ."""
    return {(row[0], row[1]) for row in {*map(tuple, before)} ^ {*map(tuple, after)}}


def ids(demo: Demo) -> list[Any]:
    return demo.ask("select id, entity_type from unified.entities order by 1")


def name_of(demo: Demo, id: str) -> str:
    return str(demo.ask("select name from unified.entities where id = %s", id)[0][0])


def content(demo: Demo) -> list[Any]:
    """Return what the raw tables and `unified` say of events, with the transaction that wrote it."""
    return [
        demo.ask("select record_id, xmin::text from raw_directus.events order by 1"),
        demo.ask("select id, xmin::text from unified.events order by 1"),
    ]
