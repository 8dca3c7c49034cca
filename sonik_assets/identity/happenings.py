"""Events as mentions: which of them a run must look at, when and where they are, and what they are known by.

An event's key is made of its venue's entity, so an event is looked at again when its venue's records are.
"""

from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_frame, copy_out
from sonik_assets.identity import inbox, memory
from sonik_assets.identity.events import EVENT_MENTIONS, TIMES, Venue, event_times, venues
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.normalize.columns import normalize_column
from sonik_assets.identity.normalize.pages import normalize_page
from sonik_assets.identity.normalize.text import fold, name_key

MENTIONS = {**EVENT_MENTIONS, **dict.fromkeys(("line_up", "url", "ticket_url"), pl.String)}
"""Columns of staging.event_mentions that a run reads."""
PAGES = {"source_id": "url", "ticket_url": "ticket_url"}
"""Pages of an event by scheme: what lists it (the CMS names the listing it took an event from), what sells it."""
_VENUE_REFS = ("venue_source", "venue_table", "venue_record_id")

_AT_VENUES = """
create temporary table if not exists venue_refs (
    source text, table_name text, record_id text, primary key (source, table_name, record_id)
) on commit drop;
truncate venue_refs;
insert into venue_refs
select source, table_name, record_id
from scope
left join identity.mentions as m using (source, table_name, record_id)
left join identity.entity_map as e using (source, table_name, record_id)
where e.entity_id is null
    or (e.linked_at = now() or scope.core) and 'venue' in (m.entity_type, e.entity_type);
insert into venue_refs
select r.source, r.table_name, r.record_id
from venue_refs as v
inner join identity.mentions as s using (source, table_name, record_id)
inner join identity.repeats as r on r.speaker = s.ref
on conflict do nothing;
analyze venue_refs;
"""
_THERE = """
select t.record_id from venue_refs as v
inner join identity.event_times as t on t.venue_ref = concat_ws('/', v.source, v.table_name, v.record_id)
"""
_PLACED = sql.SQL("""
select source, table_name, record_id, m.entity_id::text
from said_at inner join identity.entity_map as m using (source, table_name, record_id)
where m.entity_type = 'venue'
""")
# What the venue's own records say; what listings call it changes with every listing.
_VENUES = sql.SQL("""
with wanted as materialized (
    select distinct m.entity_id from said_at inner join identity.entity_map as m using (source, table_name, record_id)
)
select m.ref, e.entity_id::text, p.name, p.country_code, p.latitude, p.longitude
from identity.entity_map as e
inner join identity.mentions as m using (source, table_name, record_id)
inner join identity.profiles as p using (key)
where e.entity_type = 'venue' and not m.embedded and e.entity_id in (select entity_id from wanted)
order by m.source, m.table_name, m.record_id
""")
_FOLLOW = """
update identity.event_times as t set entity_id = m.entity_id, changed_at = now()
from identity.entity_map as m
inner join scope using (source, table_name, record_id)
where (t.source, t.table_name, t.record_id) = (m.source, m.table_name, m.record_id) and t.entity_id <> m.entity_id
"""


@dataclass(frozen=True)
class Happenings:
    """`mentions`: row, REF, prepared columns; `identifiers`: row, scheme, value; `times`: TIMES."""

    mentions: pl.DataFrame
    identifiers: pl.DataFrame
    times: pl.DataFrame


def read(connection: psycopg.Connection, period: inbox.Since) -> Happenings:
    """Read changed events, and those whose venue is in the temporary table `scope`."""
    said = inbox.read(connection, "event_mentions", MENTIONS, period)
    if period.at is not None:
        connection.execute(_AT_VENUES)
        ids = [record_id for (record_id,) in connection.execute(_THERE)]
        # By their ids, which are keys of the raw tables: a join would read all events there are.
        named = sql.SQL("record_id = any({})").format(sql.Literal(ids))
        there = inbox.read_where(connection, "event_mentions", MENTIONS, named) if ids else said.clear()
        said = pl.concat([said, there]).unique(list(REF), keep="any")
    return prepare(connection, said)


def prepare(connection: psycopg.Connection, said: pl.DataFrame) -> Happenings:
    """Give the rows of staging.event_mentions their venue, time, key and comparable columns."""
    placed, there = _places(connection, said)
    rows = said.sort(REF).join(placed, left_on=list(_VENUE_REFS), right_on=list(REF), how="left", maintain_order="left")
    times = event_times(rows, there)
    happened = rows.select(*REF, "name", "url", "ticket_url", "line_up", "updated_at", "first_seen_at").with_row_index(
        "row"
    )
    happened = happened.join(times, on=list(REF), how="left", maintain_order="left")
    known = [happened.select("row", scheme=pl.lit("event_key"), value="event_key")]
    for scheme, column in PAGES.items():
        pages = normalize_column(happened[column], normalize_page)["value"]
        known.append(happened.select("row", scheme=pl.lit(scheme), value=pages))
    return Happenings(
        happened.select(
            "row", *REF, "name", "url", "updated_at", "first_seen_at", "marker",
            entity_type=pl.lit("event"),
            embedded=pl.lit(value=False),
            name_key=normalize_column(happened["name"], name_key)["value"],
            lineup=_line_up(happened["line_up"]),
            # A date alone says nothing of the hour.
            starts_at=pl.when("has_time").then("starts_at"),
            night=pl.concat_str("venue_id", pl.col("local_date").cast(pl.String), separator="|"),
            day=pl.col("local_date").cast(pl.String),
        ),
        pl.concat(known).drop_nulls("value"),
        times,
    )  # fmt: skip


def write_times(
    connection: psycopg.Connection, times: pl.DataFrame, gone: pl.DataFrame, *, full: bool
) -> tables.Counts:
    """Bring identity.event_times to `times`; an event whose entity changed is told apart from its time."""
    memory.stage_refs(connection, pl.concat([times.select(REF), gone.select(REF)]))
    within = sql.SQL("true") if full else memory.IN_CHANGED
    where = memory.of_kinds(["event"]) if full else memory.IN_CHANGED
    placed = memory.select(connection, "entity_map", dict.fromkeys((*REF, "entity_id"), pl.String), where)
    rows = times.join(placed, on=list(REF))
    written = tables.sync(
        *(connection, "identity.event_times", REF, rows.select(*TIMES, "entity_id")),
        delete=True,
        within=within,
        touch=["changed_at"],
    )
    followed = connection.execute(_FOLLOW).rowcount
    return tables.Counts(written.inserted, written.updated + followed, written.deleted)


def _places(connection: psycopg.Connection, said: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Venue]]:
    """Return REF and venue_id of the venues' mentions that the events name, and these venues by id."""
    named = said.select(pl.col(name).alias(ref) for name, ref in zip(_VENUE_REFS, REF, strict=True))
    with connection.cursor() as cursor:
        cursor.execute("create temporary table said_at (source text, table_name text, record_id text) on commit drop")
        copy_frame(cursor, sql.Identifier("said_at"), named.drop_nulls().unique())
        cursor.execute("analyze said_at")
        found = copy_out(connection, _PLACED, dict.fromkeys((*REF, "venue_id"), pl.String))
        known = _venues(connection)
        cursor.execute("drop table said_at")
    return found, known


def _venues(connection: psycopg.Connection) -> dict[str, Venue]:
    text = dict.fromkeys(("ref", "entity_id", "name", "country_code"), pl.String)
    own = copy_out(connection, _VENUES, {**text, "latitude": pl.Float64, "longitude": pl.Float64}).with_row_index("row")
    said = own.with_columns(entity_type=pl.lit("venue"), embedded=pl.lit(value=False)).drop("entity_id")
    return venues(said, own.select("row", "entity_id"))


def _line_up(names: pl.Series) -> pl.Series:
    """Return the names folded, one a line, in order of the alphabet."""
    lists = names.str.split("\n")
    folded = normalize_column(lists.explode(), fold)["value"]
    rows = pl.DataFrame({"row": range(names.len()), "names": lists}).explode("names").with_columns(folded=folded)
    joined = rows.drop_nulls("folded").group_by("row").agg(pl.col("folded").unique().sort().str.join("\n"))
    return pl.DataFrame({"row": range(names.len())}).join(joined, on="row", how="left", maintain_order="left")["folded"]
