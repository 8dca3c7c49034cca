"""What identity says of a world without its ids; worlds that begin again. What may happen: `histories.py`."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import psycopg

from sonik_assets.identity.inbox import RAW
from sonik_assets.identity.matchers import adopt, keep
from sonik_assets.identity.matching.model import released
from sonik_assets.identity.tables import ensure_tables
from tests.identity.conftest import World

_MAPPED = """
select m.ref, e.entity_id::text, e.entity_type, e.attached, e.linked_by
from identity.mentions as m inner join identity.entity_map as e using (source, table_name, record_id)
order by 1
"""
_JUDGED = """
select left_ref, right_ref, judgement,
    -- That venues were merged is history; the key that their events share is not.
    case method when 'venue_merged' then 'event_key' else method end, round(score::numeric, 6)::float8, decided_by,
    case when method not in ('event_key', 'venue_merged') then explanation end -- a key is made of an id
from identity.judgements where retired_at is null order by 1, 2
"""
_KEYS = """
select concat_ws('/', source, table_name, record_id), local_date::text, zone, marker, name_hash, venue_id::text
from identity.event_times order by 1
"""
_HELD = """
select source || '/' || table_name || '/' || record_id, scheme, value, weak, reused_from
from identity.identifiers where valid_to is null and scheme <> 'event_key' order by 1, 2, 3
"""
_NAMES = "select entity_id::text, canonical_scheme, canonical_id from identity.entities"
_CANDIDATES = (
    "select left_key, right_key, round(probability::numeric, 9)::float8 from identity.candidates order by 1, 2"
)


def state(world: World) -> dict[str, Any]:
    """Return what identity says, with the smallest ref of an entity in the place of its id.

    Without what is a memory by itself: when something was first seen, decided, or last verified.
    """
    mapped = world.rows(_MAPPED)
    refs = defaultdict[str, list[str]](list)
    for ref, entity, _, attached, _ in mapped:
        if not attached:
            refs[entity].append(ref)

    def told(entity: str | None) -> str | None:
        return entity if entity is None else min(refs.get(entity, ["nothing that lives"]))

    def key(scheme: str, value: str) -> str:
        venue, mark, rest = value.partition("|")
        return {"uuid": "its own", "event_key": f"{told(venue)}{mark}{rest}"}.get(scheme, value)

    return {
        "entities": {ref: (told(entity), kind, attached, how) for ref, entity, kind, attached, how in mapped},
        "names": {told(entity): (scheme, key(scheme, value)) for entity, scheme, value in world.rows(_NAMES)},
        "judgements": {(left, right): rest for left, right, *rest in world.rows(_JUDGED)},
        "events": {ref: (*rest, told(venue)) for ref, *rest, venue in world.rows(_KEYS)},
        "identifiers": {(ref, scheme, value): rest for ref, scheme, value, *rest in world.rows(_HELD)},
        "candidates": {(left, right): score for left, right, score in world.rows(_CANDIDATES)},
    }


def forget(connection: psycopg.Connection) -> None:
    """Empty the world: staging, the raw tables, identity and history."""
    connection.execute("drop schema if exists identity, unified cascade")
    connection.execute("truncate staging.mentions, staging.event_mentions, staging.visitor_evidence")
    for source, table in RAW:
        connection.execute(f"truncate raw_{source}.{table}")


def adopt_released(connection: psycopg.Connection, kinds: Iterable[str]) -> None:
    """Put the matchers to use that the package carries."""
    with connection.transaction():
        ensure_tables(connection)
        for kind in kinds:
            matcher = released(kind)
            keep(connection, matcher)
            adopt(connection, matcher.version)


def begin_again(connection: psycopg.Connection) -> None:
    """Forget all that identity knows but what people decided, and what they and the past say of identifiers.

    A renamed handle is an alias, a reused one waits for a person: that is history, and no record of today tells it.
    """
    kept = {
        "matchers": "true",
        "judgements": "retired_at is null and decided_by <> 'sonik'",
        "aliases": "true",
        "identifiers": "exists (select from identity.aliases)"
        " or exists (select from identity.identifiers where reused_from is not null)",
    }
    with connection.transaction():
        connection.execute("create schema kept")
        for table, condition in kept.items():
            connection.execute(f"create table kept.{table} as select * from identity.{table} where {condition}")
        connection.execute("drop schema identity, unified cascade")
        ensure_tables(connection)
        for table in kept:
            connection.execute(f"insert into identity.{table} select * from kept.{table}")
        connection.execute("drop schema kept cascade")
