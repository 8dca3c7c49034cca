"""Row-level security: what each role may read, on tables that dbt built as an owner who is no superuser."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from resources import embedded
from resources.errors import TerminalError
from sonik_assets.migrations import FOLDER
from sonik_assets.serving import events, leads
from sonik_assets.serving.scope import Agent, Organizer, Staff, scoped
from tests.support.ownership import ROLES, House, Owned, owned

Connection = psycopg.Connection[Any]

# What organizers may read, and nothing else. The agenda is public.
PUBLIC = {"marts.whats_on"}
OF_ORGANIZERS = PUBLIC | {
    "unified.events",
    "unified.event_artists",
    "unified.room_bookings",
    "unified.campaigns",
    "unified.entities",
    "unified.interactions",
    "unified.purchases",
    "unified.tickets",
    "marts.event_traffic",
    "marts.attribution",
    "marts.promoter_conversion",
    "marts.virality",
}
# Steps on the way to tables: they read raw records.
STEPS = {
    "unified." + name
    for name in (
        "attribution_edges",
        "business_edges",
        "engagement_keys",
        "entity_confidence",
        "event_records",
        "knowledge_edges",
        "live_map",
        "memory_edges",
        "told_attributes",
    )
}
# A column counts too: by it a whole relation can be asked whether a row is there.
RELATIONS = """
select format('%%I.%%I', n.nspname, c.relname), c.relkind in ('r', 'p', 'v', 'm', 'f'), c.relispartition,
    array(
        select a.attname::text from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and has_column_privilege(%(role)s, c.oid, a.attnum, 'select') order by a.attnum
    )
from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
where n.nspname !~ '^(pg_|information_schema$)' and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
# An event whose organizer nobody knows is no organizer's.
NOBODYS = """
insert into unified.events (id, name, status, is_draft, genres, source_count)
values (gen_random_uuid(), 'Nobody knows whose', 'scheduled', false, '{}', 1)
"""
OURS = """
select c.oid::regclass::text from pg_class as c
where c.relnamespace in ('unified'::regnamespace, 'marts'::regnamespace) and c.relkind = any(%s)
"""


@pytest.fixture(scope="module")
def houses() -> tuple[House, House]:
    """Return two organizers who have nothing to do with each other."""
    return House("Ñandú"), House("Crobar")


@pytest.fixture(scope="module")
def here(
    endpoints: embedded.Endpoints, tmp_path_factory: pytest.TempPathFactory, houses: tuple[House, House]
) -> Iterator[Owned]:
    """Return the database: built of nothing, filled, and its marts then rebuilt; each time as its owner."""
    folder = tmp_path_factory.mktemp("dbt")
    with owned(endpoints.postgres) as made:
        made.build(folder, "fqn:sonik.staging", "fqn:sonik.unified", "fqn:sonik.marts")
        with psycopg.connect(made.owner) as connection:
            for house in houses:
                house.write(connection)
            connection.execute(NOBODYS)
            # As the model of interactions ends: it made months.
            connection.execute("select ops.protect('unified.interactions')")
            made.first_policies = policies(connection)
        made.build(folder, "fqn:sonik.marts")
        yield made


@pytest.fixture
def pg(here: Owned) -> Iterator[Connection]:
    """Return a connection as the server's superuser; what a test writes is undone."""
    with psycopg.connect(here.postgres) as connection:
        yield connection
        connection.rollback()


def policies(pg: Connection) -> list[tuple[Any, ...]]:
    """Return every policy, its oid included, and whether it is forced."""
    return pg.execute(
        "select p.oid, p.polrelid::regclass::text, p.polname, c.relrowsecurity, c.relforcerowsecurity"
        " from pg_policy as p inner join pg_class as c on c.oid = p.polrelid order by 1"
    ).fetchall()


def become(pg: Connection, role: str, organization: str | None = None) -> None:
    """Act as a role until the transaction ends; None leaves the setting as it never was."""
    pg.execute("select set_config('role', %s, true)", [role])
    if organization is not None:
        pg.execute("select set_config('app.current_organization', %s, true)", [organization])


def readable(pg: Connection, role: str) -> dict[str, list[str]]:
    """Return relation -> columns, of all that a role may read of ours, schemas that it may not even enter included."""
    rows = pg.execute(RELATIONS, {"role": role}).fetchall()
    return {name: columns for name, _, _, columns in rows if columns}


def read(pg: Connection, relation: str, columns: list[str]) -> list[str]:
    """Return the rows as texts of what may be read."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("select concat_ws('|', {}) from {}").format(names, sql.SQL(relation))  # type: ignore[arg-type]
    return [row for (row,) in pg.execute(query)]


def walk(pg: Connection, role: str, organization: str | None) -> dict[str, list[str]]:
    """Return relation -> rows as a role reads them."""
    relations = readable(pg, role)
    become(pg, role, organization)
    return {relation: read(pg, relation, columns) for relation, columns in relations.items()}


def naming(rows: dict[str, list[str]], marks: list[str]) -> list[tuple[str, str]]:
    """Return the rows in which one of the marks is."""
    return [(name, row) for name, each in rows.items() for row in each if any(mark in row for mark in marks)]


@contextmanager
def denied(pg: Connection, *, as_what: type[psycopg.Error] = errors.InsufficientPrivilege) -> Iterator[None]:
    """Expect the database to refuse, and go on after it."""
    with pytest.raises(as_what), pg.transaction():
        yield


# Organizers


SOMEBODY = "018f3a52-7c1e-7d4b-9a6f-3c2e5b8d1f04"


@pytest.mark.parametrize("nobody", [None, "", "not-a-uuid", "' or true --", "0", SOMEBODY])
def test_without_an_organization_nothing_is_seen(pg: Connection, nobody: str | None) -> None:
    seen = walk(pg, "sonik_organizer", nobody)
    assert set(seen) == OF_ORGANIZERS
    assert {name for name, rows in seen.items() if rows} == PUBLIC


@pytest.mark.parametrize("mine", [0, 1])
def test_an_organizer_sees_its_own_and_nothing_else(pg: Connection, houses: tuple[House, House], mine: int) -> None:
    seen = walk(pg, "sonik_organizer", str(houses[mine].ids["organization"]))
    assert {name for name, rows in seen.items() if rows} == OF_ORGANIZERS
    private = {name: rows for name, rows in seen.items() if name not in PUBLIC}
    assert naming(private, houses[1 - mine].marks()) == []
    # Each row is one of ours: one that is nobody's would have no mark of anybody.
    assert sum(map(len, private.values())) == len(naming(private, houses[mine].marks()))
    assert naming(seen, [secret for house in houses for secret in house.secrets]) == []


def test_another_way_to_write_the_uuid_is_the_same_organization(pg: Connection, houses: tuple[House, House]) -> None:
    become(pg, "sonik_organizer", f"{{{houses[0].ids['organization'].hex.upper()}}}")
    assert pg.execute("select id from unified.events").fetchall() == [(houses[0].ids["event"],)]


def test_partitions_are_read_through_their_table_only(pg: Connection, houses: tuple[House, House]) -> None:
    parts = [name for name, _, is_part, _ in pg.execute(RELATIONS, {"role": "sonik_organizer"}) if is_part]
    assert len(parts) >= 3
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    for part in parts:
        with denied(pg):
            pg.execute(f"select 1 from {part}")
    assert pg.execute("select count(distinct at) from unified.interactions").fetchone() == (2,)


def test_a_partition_granted_by_mistake_shows_nothing(pg: Connection, houses: tuple[House, House]) -> None:
    pg.execute("grant select on unified.interactions_2026_10 to sonik_organizer")
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    assert pg.execute("select count(*) from unified.interactions_2026_10").fetchone() == (0,)


def test_views_have_the_rules_of_what_they_read(pg: Connection, houses: tuple[House, House]) -> None:
    definers = pg.execute(
        "select c.oid::regclass::text from pg_class as c where c.relkind in ('v', 'm')"
        " and c.relnamespace::regnamespace::text in ('unified', 'marts', 'staging')"
        " and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on']"
    ).fetchall()
    assert definers == []
    pg.execute("grant select on unified.venues, unified.room_wishes to sonik_organizer")
    pg.execute("create view marts.mine with (security_invoker) as select id, name from unified.events")
    pg.execute("grant select on marts.mine to sonik_organizer")
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    assert pg.execute("select id from marts.mine").fetchall() == [(houses[0].ids["event"],)]
    for view in ("venues", "room_wishes"):
        with denied(pg):
            pg.execute(f"select * from unified.{view}")


@pytest.mark.parametrize("role", ROLES)
def test_no_function_reads_as_somebody_else(pg: Connection, role: str) -> None:
    found = pg.execute(
        "select p.oid::regprocedure::text from pg_proc as p where p.prosecdef"
        " and has_function_privilege(%s, p.oid, 'execute')",
        [role],
    ).fetchall()
    assert found == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into unified.campaigns (id, name) values (uuidv7(), 'x')",
        "update unified.events set name = 'x'",
        "delete from unified.events",
        "truncate unified.events",
        "merge into unified.events as t using (select 1) as s on true when matched then delete",
        "alter table unified.events disable row level security",
        "create policy everything on unified.events using (true)",
        "drop policy sonik_organizer on unified.events",
        "update ops.access set rule = 'true'",
        "select * from ops.access",
        "select * from ops.claims",
        "select * from unified.persons",
        "select * from identity.entity_map",
        "select * from raw_mongo.users",
        "select person_id from unified.purchases",
        "select metadata from unified.entities",
        "select i from unified.interactions as i",
        "select top_spreaders from marts.virality",
        "create table unified.mine ()",
        "create table public.mine ()",
        "select ops.protect('unified.events')",
        "copy unified.events to program 'cat'",
    ],
)
def test_an_organizer_changes_nothing_and_goes_nowhere_else(
    pg: Connection, houses: tuple[House, House], statement: str
) -> None:
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    with denied(pg):
        pg.execute(statement)  # type: ignore[call-overload]


def test_turning_row_security_off_is_an_error_not_a_way_out(pg: Connection, houses: tuple[House, House]) -> None:
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    pg.execute("set local row_security = off")
    with denied(pg):
        pg.execute("select * from unified.events")


def test_the_login_of_serving_is_no_way_to_more(here: Owned, houses: tuple[House, House]) -> None:
    with psycopg.connect(here.web) as web:
        become(web, "sonik_organizer", str(houses[0].ids["organization"]))
        assert len(web.execute("select id from unified.events").fetchall()) == 1
        for role in ("sonik_staff", "sonik_agent", "postgres", f"owner_{here.name}", "pg_read_all_data"):
            with denied(web):
                web.execute(f"set role {role}")
            with denied(web):
                web.execute(f"set session authorization {role}")
            with denied(web):
                web.execute(f"grant {role} to web_{here.name}")
        web.execute("reset role")
        for relation in OF_ORGANIZERS:  # the login by itself is nobody
            with denied(web):
                web.execute(f"select 1 from {relation}")


def test_a_condition_that_tells_is_asked_of_own_rows_only(here: Owned, houses: tuple[House, House]) -> None:
    told: list[str] = []
    with psycopg.connect(here.web) as web:
        web.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        become(web, "sonik_organizer", str(houses[0].ids["organization"]))
        web.execute(
            "create function pg_temp.tell(t text) returns bool language plpgsql cost 0.0000001"
            " as $$ begin raise notice 'seen %', t; return true; end $$"
        )
        web.execute("select id from unified.events where pg_temp.tell(name)")
        web.execute("select id from unified.entities where pg_temp.tell(name)")
    assert naming({"": told}, [houses[0].name])
    assert naming({"": told}, houses[1].marks()) == []


def test_statistics_tell_nothing(pg: Connection, houses: tuple[House, House]) -> None:
    pg.execute("analyze")
    count = "select count(*) from pg_stats where schemaname in ('unified', 'marts') and most_common_vals is not null"
    assert pg.execute(count).fetchone() != (0,)
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    assert pg.execute(count).fetchone() == (0,)


def test_the_rule_is_found_by_an_index(pg: Connection, houses: tuple[House, House]) -> None:
    become(pg, "sonik_organizer", str(houses[0].ids["organization"]))
    pg.execute("set local enable_seqscan = off")
    plan = "\n".join(row for (row,) in pg.execute("explain (costs off) select count(*) from unified.interactions"))
    assert "Index Cond: (event_id = ANY ((InitPlan 1).col1))" in plan
    plan = "\n".join(row for (row,) in pg.execute("explain (costs off) select id from unified.events"))
    assert "Index Cond: (organizer_id = (InitPlan 1).col1)" in plan


# Agents and staff


def test_agents_are_told_of_nobody(pg: Connection, houses: tuple[House, House]) -> None:
    seen = walk(pg, "sonik_agent", None)
    assert {name for name, rows in seen.items() if rows} >= OF_ORGANIZERS | {"marts.organizer_leads"}
    secrets = [secret for house in houses for secret in house.secrets]
    # How people are called, not only these two: any column for it.
    assert naming(seen, secrets) == []
    for house in houses:
        assert naming(seen, [str(house.ids["organization"])])


def test_staff_sees_every_row(pg: Connection) -> None:
    relations = readable(pg, "sonik_staff")
    ours = {name for (name,) in pg.execute(OURS, [list("rvp")])}
    partitions = {name for (name,) in pg.execute("select inhrelid::regclass::text from pg_inherits")}
    assert {name for name in relations if name.split(".")[0] in ("unified", "marts")} == ours - partitions - STEPS
    everything = {name: len(read(pg, name, columns)) for name, columns in relations.items()}
    become(pg, "sonik_staff")
    assert {name: len(read(pg, name, columns)) for name, columns in relations.items()} == everything


def test_staff_decides_claims(pg: Connection, houses: tuple[House, House]) -> None:
    venue = houses[0].ids["venue"]
    become(pg, "sonik_staff")
    for event, expected in (("submit", "pending"), ("verify", "claimed"), ("revoke", "unclaimed")):
        pg.execute(
            "insert into ops.claims (id, entity_ref, user_id, event) values (uuidv7(), %s, 'u', %s)",
            [f"test/venue/{houses[0].name}", event],
        )
        status = pg.execute("select claim_status from unified.entities where id = %s", [venue]).fetchone()
        assert status == (expected,)
    for statement in ("update unified.entities set name = 'x'", "delete from ops.claims", "delete from unified.events"):
        with denied(pg):
            pg.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("login", ["postgres", "owner"])
def test_serving_reads_in_a_scope(here: Owned, houses: tuple[House, House], login: str) -> None:
    mine = Organizer(houses[0].ids["organization"])
    with psycopg.connect(getattr(here, login), autocommit=True) as pg:
        with scoped(pg, mine):
            on = events.whats_on(pg, city=None, first=None, last=None, limit=5, genre="SALSA")
            assert len(on) == 2
            assert len(pg.execute("select id from unified.events").fetchall()) == 1
        for scope, found in ((Staff(), 3), (Agent(), 3)):
            with scoped(pg, scope):
                assert len(pg.execute("select id from unified.events").fetchall()) == found
        with scoped(pg, Staff()):
            assert len(leads.leads(pg, limit=5)) == 2
        with pytest.raises(errors.InsufficientPrivilege), scoped(pg, mine):
            leads.leads(pg, limit=5)


def test_the_login_for_organizers_reads_as_nobody_else(here: Owned) -> None:
    with psycopg.connect(here.web) as web, pytest.raises(TerminalError, match="sonik_staff"), scoped(web, Staff()):
        pytest.fail("organizers' login read as staff")


# What is protected, and how it stays so


def test_every_table_is_forced_and_keeps_its_policies(here: Owned, pg: Connection) -> None:
    assert policies(pg) == here.first_policies  # dbt has rebuilt the marts since
    tables = {name for (name,) in pg.execute(OURS, [["r", "p"]])}
    forced = pg.execute("select oid::regclass::text from pg_class where relrowsecurity and relforcerowsecurity")
    assert tables == {name for (name,) in forced}
    assert tables >= {"unified.interactions_other", "marts.touchpoints"}


def test_the_owner_is_no_superuser_and_builds_all_the_same(here: Owned) -> None:
    with psycopg.connect(here.owner) as owner:
        superuser = owner.execute("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        assert superuser.fetchone() == (False,)
        assert owner.execute("select count(*) from unified.events").fetchone() == (3,)
        assert owner.execute("select count(*) from unified.interactions_2026_10").fetchone() == (6,)
        assert owner.execute("select count(*) from marts.whats_on").fetchone() == (2,)


def test_who_is_none_of_the_roles_sees_nothing(here: Owned, pg: Connection) -> None:
    pg.execute(f"grant usage on schema unified, marts to web_{here.name}")
    pg.execute(f"grant select on unified.events, marts.whats_on to web_{here.name}")
    become(pg, f"web_{here.name}")
    assert pg.execute("select count(*) from unified.events").fetchone() == (0,)
    assert pg.execute("select count(*) from marts.whats_on").fetchone() == (0,)


def test_nothing_is_everybodys(pg: Connection) -> None:
    # Whatever privilege a login of no role at all has, it has as PUBLIC.
    pg.execute("create role passer_by")
    assert readable(pg, "passer_by") == {}
    schemas = pg.execute(
        "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema$)'"
        " and (has_schema_privilege('passer_by', oid, 'create') or has_schema_privilege('passer_by', oid, 'usage'))"
    ).fetchall()
    assert schemas == [("public",)]
    assert pg.execute("select has_schema_privilege('passer_by', 'public', 'create')").fetchone() == (False,)


def test_what_is_protected_already_is_only_looked_at(pg: Connection) -> None:
    pg.execute("select ops.protect(name::regclass) from unnest(%s::text[]) as name", [all_of(pg)])
    assert pg.execute("select pg_current_xact_id_if_assigned()").fetchone() == (None,)


@pytest.mark.parametrize(
    "harm",
    [
        "alter table unified.events disable row level security",
        "alter table unified.events no force row level security",
        "create policy everything on unified.events using (true)",
        "drop policy sonik_organizer on unified.events",
        "grant select on unified.events to public",
        "grant insert on unified.events to sonik_organizer",
        "revoke select on unified.events from sonik_agent",
        "grant select (metadata) on unified.entities to sonik_organizer",
        "grant select on unified.touchpoints to sonik_organizer",
        "grant select on unified.persons to sonik_agent",
        "alter table unified.interactions_2026_10 disable row level security",
        "grant select on unified.interactions_2026_10 to sonik_organizer",
    ],
)
def test_the_next_build_mends_what_somebody_changed(pg: Connection, harm: str) -> None:
    harm = harm.replace("unified.touchpoints", "marts.touchpoints")
    before = state(pg)
    pg.execute(harm)  # type: ignore[call-overload]
    assert state(pg) != before
    pg.execute("select ops.protect(name::regclass) from unnest(%s::text[]) as name", [all_of(pg)])
    assert state(pg) == before


def all_of(pg: Connection) -> list[str]:
    """Return what dbt protects: its tables, not their partitions, and views."""
    parts = {name for (name,) in pg.execute("select inhrelid::regclass::text from pg_inherits")}
    return sorted({name for (name,) in pg.execute(OURS, [list("rvp")])} - parts)


def state(pg: Connection) -> list[tuple[Any, ...]]:
    """Return what protects each relation, as the catalogue has it."""
    names = sorted(name for (name,) in pg.execute(OURS, [list("rvp")]))
    return pg.execute(
        "select name, found from unnest(%s::text[]) as name, ops.access_found(name::regclass) as found order by 1, 2",
        [names],
    ).fetchall()


def test_a_new_column_is_nobodys_until_it_is_told(pg: Connection, houses: tuple[House, House]) -> None:
    pg.execute("alter table unified.purchases add column card text")
    pg.execute("select ops.protect('unified.purchases')")
    assert "card" not in readable(pg, "sonik_organizer")["unified.purchases"]
    assert "card" not in readable(pg, "sonik_agent")["unified.purchases"]
    assert "card" in readable(pg, "sonik_staff")["unified.purchases"]


def test_what_is_told_of_is_there(pg: Connection) -> None:
    missing = pg.execute(
        "select a.relation, a.role, c.name from ops.access as a left join lateral unnest(a.columns) as c (name) on true"
        " where to_regclass(a.relation) is null or c.name is not null and not exists ("
        " select from pg_attribute as t where t.attrelid = to_regclass(a.relation) and t.attname = c.name)"
    ).fetchall()
    by_its_asset = {"unified.embeddings"}
    assert [row for row in missing if row[0] not in by_its_asset] == []


# Roles are of the whole server


def roles_sql(suffix: str) -> str:
    """Return the statement of the migration that makes the roles, for roles of other names."""
    statement = (FOLDER / "0008_access.sql").read_text().split("end $$;")[0] + "end $$;"
    for role in ROLES:
        statement = statement.replace(role, f"{role}_{suffix}")
    return statement


def test_two_databases_make_the_roles_at_once(endpoints: embedded.Endpoints) -> None:
    suffix = uuid.uuid4().hex[:8]
    with (
        psycopg.connect(endpoints.postgres) as first,
        psycopg.connect(endpoints.postgres, autocommit=True) as second,
    ):
        first.execute(roles_sql(suffix))  # type: ignore[call-overload]
        waits = threading.Thread(target=second.execute, args=[roles_sql(suffix)])
        waits.start()
        waits.join(0.5)
        first.commit()
        waits.join(10)
        found = second.execute(
            "select rolcanlogin or rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname ~ %s",
            [f"{suffix}$"],
        ).fetchall()
        second.execute(f"drop role {', '.join(f'{role}_{suffix}' for role in ROLES)}")
    assert found == [(False,)] * 3


@pytest.mark.parametrize("harm", ["alter role {role} bypassrls", "grant pg_read_all_data to {role}"])
def test_a_role_that_sees_everything_anyway_is_refused(endpoints: embedded.Endpoints, harm: str) -> None:
    suffix = uuid.uuid4().hex[:8]
    with psycopg.connect(endpoints.postgres) as connection:
        connection.execute(f"create role sonik_organizer_{suffix}")
        connection.execute(harm.format(role=f"sonik_organizer_{suffix}"))
        with pytest.raises(errors.RaiseException, match="passes row-level security or is a member"):
            connection.execute(roles_sql(suffix))  # type: ignore[call-overload]
        connection.rollback()


def test_who_may_not_make_roles_is_told_what_to_ask_for(here: Owned) -> None:
    with psycopg.connect(here.web) as web, pytest.raises(errors.InsufficientPrivilege) as refused:
        web.execute(roles_sql(uuid.uuid4().hex[:8]))  # type: ignore[call-overload]
    assert "create role sonik_staff" in str(refused.value.diag.message_hint)
