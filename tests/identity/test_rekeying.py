"""A source renumbered its records: who says so is noted, and what only repeats another mention stays with it."""

import polars as pl
import psycopg
import pytest

from resources.errors import TerminalError
from sonik_assets.identity.rekeying import rekey
from sonik_assets.identity.resolve import Options, resolve
from tests.identity.conftest import World

FULL = Options(full=True, matchers={})
NOTED = "select decided_by, source, table_name, records from identity.rekeyings order by id"
PLACED = """
select ref, entity_id::text, attached
from identity.entity_map join identity.mentions using (source, table_name, record_id) order by 1
"""
REPEATS = "select record_id, key, speaker from identity.repeats order by 1"


def renumbered(**ids: str) -> pl.DataFrame:
    return pl.DataFrame({"old_record_id": list(ids), "new_record_id": list(ids.values())})


def listings(world: World, *names: str) -> None:
    """Put listings that name one organizer in the same words."""
    for name in names:
        ref = f"scraper/event_listings.organizer/{name}"
        world.mention(ref, "organization", embedded=True, name="Nébula SA", instagram="@nebula.sa")


@pytest.fixture
def listed(world: World) -> World:
    """Three listings whose organizer is another record's: the first speaks, the others repeat it."""
    world.mention("directus/organizations/1", "organization", name="Nébula", instagram="@nebula.sa")
    listings(world, "a", "b", "c")
    resolve(world.connection, options=FULL)
    return world


def test_who_renumbered_what_is_noted(listed: World) -> None:
    rekey(listed.connection, "directus", "organizations", renumbered(**{"1": "9"}), "ana")
    rekey(listed.connection, "scraper", "event_listings", renumbered(a="x", b="y"), "eva")
    assert listed.rows(NOTED) == [("ana", "directus", "organizations", 1), ("eva", "scraper", "event_listings", 2)]
    assert listed.rows("select now() - max(at) < '1 minute' from identity.rekeyings") == [(True,)]


@pytest.mark.parametrize("by", ["", "sonik"])
def test_nobody_renumbers_nothing(listed: World, by: str) -> None:
    before = listed.rows(PLACED)
    with pytest.raises(TerminalError, match="set SONIK_USER or give --by"):
        rekey(listed.connection, "directus", "organizations", renumbered(**{"1": "9"}), by)
    assert listed.rows(PLACED) == before


def test_what_is_refused_is_not_noted(listed: World) -> None:
    with pytest.raises(TerminalError, match="has no record 77"):
        rekey(listed.connection, "directus", "organizations", renumbered(**{"77": "78"}), "ana")
    assert listed.rows(NOTED) == []


@pytest.mark.parametrize(
    "ids",
    [{"a": "x"}, {"b": "y"}, {"a": "b", "b": "a"}, {"a": "z", "b": "y", "c": "x"}],
    ids=lambda each: "".join(each),
)
def test_what_repeats_and_who_speaks_for_it_get_their_new_ids(listed: World, ids: dict[str, str]) -> None:
    """The speaker is named by its ref, and the entity of all is that of another record."""
    speaker = "scraper/event_listings.organizer/"
    ((home,),) = {row[1:2] for row in listed.rows(PLACED)}
    key = listed.rows(REPEATS)[0][1]
    assert listed.rows(REPEATS) == [("b", key, speaker + "a"), ("c", key, speaker + "a")]
    rekey(listed.connection, "scraper", "event_listings", renumbered(**ids), "ana")
    names = {name: ids.get(name, name) for name in "abc"}
    expected = sorted((names[name], key, speaker + names["a"]) for name in "bc")
    assert listed.rows(REPEATS) == expected
    assert listed.rows("select ref from identity.repeats order by 1") == [(speaker + row[0],) for row in expected]
    placed = listed.rows(PLACED)
    assert {row[1] for row in placed} == {home}
    assert [row[0] for row in placed][1:] == sorted(speaker + name for name in names.values())
    changes = listed.rows("select count(*) from unified.changes")
    _renumber_staging(listed.connection, ids)
    resolve(listed.connection, options=FULL)
    assert {row[1] for row in listed.rows(PLACED)} == {home}
    first = speaker + min(names.values())
    assert {row[2] for row in listed.rows(REPEATS)} == {first}
    assert listed.rows("select count(*) from unified.changes") == changes


def _renumber_staging(connection: psycopg.Connection, ids: dict[str, str]) -> None:
    """What the source says from now on, and that it no longer says the old."""
    connection.execute("create temporary table renamed as select * from staging.mentions where source = 'scraper'")
    connection.execute("delete from staging.mentions where source = 'scraper'")
    connection.execute(
        "update renamed set record_id = %(new)s::jsonb ->> record_id where %(new)s::jsonb ? record_id",
        {"new": psycopg.types.json.Json(ids)},
    )
    connection.execute("insert into staging.mentions select * from renamed; drop table renamed")
