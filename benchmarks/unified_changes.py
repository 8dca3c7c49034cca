"""Changes of raw records in the mix of the sources: mostly what visitors did, some sales, a few things. SQL."""

import psycopg
from psycopg import sql

MIX = {
    "raw_mongo.engagement": (
        0.830,
        "payload || jsonb_build_object('properties', jsonb_build_object('seen', record_id))",
    ),
    "raw_mongo.tickets": (0.060, "jsonb_set(payload, '{tier}', to_jsonb('changed'::text))"),
    "raw_mongo.transactions": (
        0.035,
        "jsonb_set(payload, '{amount}', to_jsonb(1000 + abs(hashtext(record_id)) % 1000))",
    ),
    "raw_mongo.users": (0.030, "jsonb_set(payload, '{name}', to_jsonb(concat(payload ->> 'name', ' Nova')))"),
    "raw_scraper.event_listings": (0.020, "jsonb_set(payload, '{price}', to_jsonb(abs(hashtext(record_id)) % 1000))"),
    "raw_directus.events": (0.010, "jsonb_set(payload, '{description}', to_jsonb('changed'::text))"),
    "raw_directus.venues": (0.005, "jsonb_set(payload, '{capacity}', to_jsonb(abs(hashtext(record_id)) % 1000))"),
    "raw_directus.artists": (0.005, "jsonb_set(payload, '{bio}', to_jsonb('changed'::text))"),
    "raw_twenty.people": (0.005, "jsonb_set(payload, '{jobTitle}', to_jsonb('changed'::text))"),
}
"""Share of the changes and what becomes of the payload, by raw table."""
_CHANGE = """
update {relation} as t set payload = {payload}, source_updated_at = now(), changed_at = now()
from (select record_id from {relation} where deleted_at is null order by md5(record_id) limit {count}) as picked
where t.record_id = picked.record_id
"""


def change(postgres: str, count: int) -> int:
    """Change so many raw records; return how many."""
    with psycopg.connect(postgres) as connection:
        return sum(_change(connection, relation, *MIX[relation], count) for relation in MIX)


def _change(connection: psycopg.Connection, relation: str, share: float, payload: str, count: int) -> int:
    parts = {
        "relation": sql.Identifier(*relation.split(".")),
        "payload": sql.SQL(payload.replace("record_id", "t.record_id").replace("payload", "t.payload")),  # type: ignore[arg-type]
        "count": sql.Literal(round(count * share)),
    }
    return connection.execute(sql.SQL(_CHANGE).format(**parts)).rowcount
