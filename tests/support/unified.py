"""A small `unified` schema made by hand: the columns that graphs and the read side take from dbt.

Views stand in for dbt's typed ones, and the feed carries the tables. `World` writes rows; nothing here knows what is
tested with them.
"""

import uuid
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sonik_assets import migrations

DDL = """
create schema unified; create schema marts; create schema identity;
create table unified.entities (id uuid primary key default uuidv7(), entity_type text, name text,
  canonical_scheme text, canonical_id text, claim_status text, claimed_by uuid, metadata jsonb default '{}',
  first_seen_at timestamptz default now(), updated_at timestamptz default now(), row_hash bytea);
create table unified.entity_identifiers (entity_id uuid primary key, google_places_id text, instagram_url text,
  domain text);
create table unified.events (id uuid primary key default uuidv7(), event_key text, name text,
  description text, venue_id uuid, organizer_id uuid, starts_at timestamptz, local_date date,
  ends_at timestamptz, status text, genres text[], ticket_url text, price_min numeric, price_max numeric,
  currency text, source_count int, city text, updated_at timestamptz);
create table unified.event_artists (event_id uuid, artist_id uuid, primary key (event_id, artist_id));
create table unified.relationships (id uuid primary key, from_label text, from_id uuid, type text,
  to_label text, to_id uuid, discriminator text default '', weight float8 default 1, at timestamptz,
  source text default 'test', confidence float8 default 1, properties jsonb default '{}');
create table unified.campaigns (id uuid primary key default uuidv7(), name text, channel text,
  budget numeric, start_date date, end_date date, organizer_id uuid);
create table unified.content (id uuid primary key default uuidv7(), type text, title text, url text,
  city text, body text, published_at timestamptz);
create table unified.markets (id uuid primary key default uuidv7(), name text, country text,
  timezone text, status text);
create table unified.channels (id uuid primary key default uuidv7(), type text, platform text);
create table unified.tickets (id uuid primary key default uuidv7(), purchase_id uuid, event_id uuid,
  person_id uuid, tier text, price numeric, checked_in_at timestamptz);
create table unified.purchases (id uuid primary key default uuidv7(), person_id uuid, event_id uuid,
  campaign_id uuid, amount numeric, currency text, status text, at timestamptz);
create table unified.features (id uuid primary key default uuidv7(), name text, suite text, status text,
  revenue_impact float8);
create table unified.feature_flags (id uuid primary key default uuidv7(), name text, enabled bool,
  rollout_percentage float8, feature_id uuid);
create table unified.concepts (id uuid primary key default uuidv7(), name text, domain text);
create table unified.code_modules (id uuid primary key default uuidv7(), path text, importance float8,
  dependencies_count int);
create table unified.revenues (id uuid primary key default uuidv7(), name text, currency text, amount float8);
create table unified.sentiments (id uuid primary key default uuidv7(), name text);
create table unified.agent_sessions (id uuid primary key default uuidv7(), name text, started_at timestamptz);
create table unified.agent_memories (id uuid primary key default uuidv7(), session_id uuid, text text,
  at timestamptz);
create table unified.agent_queries (id uuid primary key default uuidv7(), session_id uuid, text text,
  at timestamptz);
create table unified.agent_references (id uuid primary key default uuidv7(), graph text,
  label text, ref_id uuid);
create table identity.entity_map (source text, table_name text, record_id text, entity_id uuid,
  entity_type text, linked_by text, linked_at timestamptz default now());
create table identity.redirects (old_id uuid, new_id uuid, reason text, at timestamptz default now());
create table marts.whats_on (event_id uuid, event_name text, venue_id uuid, venue_name text, city text,
  country text, latitude float8, longitude float8, starts_at timestamptz, local_date date, status text,
  genres text[], artists text[], price_min numeric, currency text, ticket_url text, ticket_link text,
  organizer_name text);
create table marts.organizer_leads (organization_id uuid, name text, domain text, instagram_url text,
  claim_status text, events int, views int, clicks int, conversions int, sentence text, contact_name text,
  contact_email text, crm_stage text, score float8);
"""

VIEWS = {
    "persons": {"type": "text"},
    "venues": {
        "capacity": "int", "latitude": "float8", "longitude": "float8",
        "address": "text", "city": "text", "country": "text", "category": "text",
    },
    "organizations": {"type": "text"},
    "artists": {"country": "text", "bio": "text", "genres": "text[]"},
    "brands": {},
}  # fmt: skip
"""Typed views over `unified.entities`, with the attributes that each takes from `metadata`."""

IDENTIFIERS = ("google_places_id", "instagram_url", "domain")
OWN = ("canonical_id", "claim_status")

# What the migrations make: the feed's tables, and the tables that it carries.
FEED = """
create schema if not exists ops;
create table ops.embeddings (text_hash text primary key, model text, vector real[], made_at timestamptz default now());
create table ops.seen (model text primary key, until timestamptz, rules text);
create function ops.protect(regclass) returns void language sql as 'select';
create publication sonik with (publish_via_partition_root = true);
do $$ begin create role sonik_staff; exception when duplicate_object or unique_violation then null; end $$;
"""
PUBLISH = """
select ops.publish(oid) from pg_class
where relnamespace = 'unified'::regnamespace and relkind = 'r' and relname not like 'source%'
"""


def view_sql(name: str) -> str:
    """Return the statement that makes a typed view, as dbt's models do."""
    attributes = VIEWS[name]
    told = "".join(
        f", array(select jsonb_array_elements_text(e.metadata -> '{column}')) as {column}"
        if type == "text[]"
        else f", (e.metadata ->> '{column}')::{type} as {column}"
        for column, type in attributes.items()
    )
    return (
        f"create view unified.{name} as select e.id, e.name, e.canonical_id, e.claim_status, i.google_places_id,"
        f" i.instagram_url, i.domain{told} from unified.entities as e"
        f" left join unified.entity_identifiers as i on e.id = i.entity_id where e.entity_type = '{name[:-1]}'"
    )


class World:
    """Rows of the `unified` schema, each written and committed at once."""

    def __init__(self, pg: psycopg.Connection[Any]) -> None:
        self.pg = pg
        pg.execute(DDL)
        for name in VIEWS:
            pg.execute(view_sql(name))
        pg.execute(FEED + (migrations.FOLDER / "0009_feed.sql").read_text() + PUBLISH)

    def add(self, relation: str, **columns: object) -> str:
        """Insert one row and return its id."""
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        sql = f"insert into {relation} ({names}) values ({marks}) returning *"
        return str(self.pg.execute(sql, list(columns.values())).fetchone()[0])  # type: ignore[index]

    def entity(self, label: str, name: str, **columns: object) -> str:
        """Insert an entity of a label, an event with its row in `unified.events`; return its id."""
        own = {column: columns.pop(column) for column in OWN if column in columns}
        identifiers = {column: columns.pop(column) for column in IDENTIFIERS if column in columns}
        id = self.add(
            "unified.entities",
            entity_type=label.lower(),
            name=name,
            canonical_scheme="uuid",
            metadata=Jsonb(columns if label != "Event" else {}),
            **{"claim_status": "unclaimed"} | own,
        )
        if identifiers:
            self.add("unified.entity_identifiers", entity_id=id, **identifiers)
        return self.add("unified.events", id=id, name=name, **columns) if label == "Event" else id

    def delete(self, id: str) -> None:
        """Delete an entity, an event too; what relates to it stays."""
        for table, column in (("events", "id"), ("entity_identifiers", "entity_id"), ("entities", "id")):
            self.pg.execute(f"delete from unified.{table} where {column} = %s", [id])

    def relate(self, start: tuple[str, str], type: str, end: tuple[str, str], **columns: object) -> str:
        """Insert a relationship between (label, id) and (label, id); return its id."""
        discriminator = str(columns.pop("discriminator", ""))
        id = uuid.uuid5(uuid.NAMESPACE_OID, "|".join((type, start[1], end[1], discriminator)))
        properties = Jsonb(columns.pop("properties", {}))
        return self.add(
            "unified.relationships",
            id=id,
            from_label=start[0],
            from_id=start[1],
            type=type,
            to_label=end[0],
            to_id=end[1],
            discriminator=discriminator,
            properties=properties,
            **columns,
        )
