"""Changes of the raw records of a generated world: names, handles, phones, deletions, copies. SQL.

Raw only: what they mean for mentions is for staging and resolution to find out.
"""

import psycopg
from psycopg import sql

from benchmarks.identity_world import World

FIELDS = {
    "raw_directus.venues": ("{name}", "{instagram}", "", "{phone}"),
    "raw_directus.artists": ("{name}", "{instagram}", "", "{website}"),
    "raw_directus.events": ("{name}", "{organizer_website}", ".example", "{description}"),
    "raw_twenty.people": ("{name,lastName}", "{emails,primaryEmail}", "@correo.example", "{phones,primaryPhoneNumber}"),
    "raw_twenty.companies": ("{name}", "{domainName,primaryLinkUrl}", ".example", "{address,addressStreet1}"),
    "raw_mongo.users": ("{name}", "{instagram}", "", "{phone}"),
    "raw_scraper.venue_info": ("{name}", "{instagram}", "", "{phone}"),
    "raw_scraper.event_listings": ("{title}", "{organizer_instagram}", "", "{venue_address}"),
    "raw_scraper.artist_profiles": ("{name}", "{instagram}", "", "{website}"),
}
"""Where a raw record keeps its name, what it is known by (and how such a value ends), and something weaker."""
_PICK = """
create temporary table picked as
select record_id, row_number() over (order by record_id) % 5 as way
from (
    select record_id from {relation} where deleted_at is null and record_id not like 'nova-%'
    order by md5(concat(record_id, (select count(*) from {relation}))) limit {count}
) as chosen
"""
_ALTER = """
update {relation} as t set
    payload = case way
        when 0 then jsonb_set(payload, {name}, to_jsonb(concat(payload #>> {name}, ' Nova')))
        when 1 then jsonb_set(payload, {strong}, to_jsonb(concat('nova', left(md5(t.record_id), 8), {tail})))
        when 2 then jsonb_set(payload, {weak}, to_jsonb(concat('+52 55 ', abs(hashtext(t.record_id)) % 100000000)))
        else payload
    end,
    deleted_at = case way when 3 then now() end, source_updated_at = now(), changed_at = now()
from picked
where picked.record_id = t.record_id and way < 4
"""
_COPY = """
insert into {relation} (
    record_id, payload, source_updated_at, payload_hash, first_seen_at, changed_at, partition_date, run_id
)
select concat('nova-', record_id), payload, now(), payload_hash, now(), now(), partition_date, run_id
from {relation} inner join picked using (record_id)
where way = 4
"""


def change(world: World, count: int) -> int:
    """Change so many raw records, of each table its share; return how many."""
    with psycopg.connect(world.postgres) as connection:
        live = {relation: _live(connection, relation) for relation in FIELDS}
        every = sum(live.values())
        return sum(_change(connection, relation, round(count * live[relation] / every)) for relation in FIELDS)


def _live(connection: psycopg.Connection, relation: str) -> int:
    query = sql.SQL("select count(*) from {} where deleted_at is null").format(_relation(relation))
    (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def _change(connection: psycopg.Connection, relation: str, count: int) -> int:
    fields = zip(("name", "strong", "tail", "weak"), FIELDS[relation], strict=True)
    parts = {"relation": _relation(relation), **{name: sql.Literal(value) for name, value in fields}}
    connection.execute(sql.SQL(_PICK).format(count=sql.Literal(count), **parts))
    changed = connection.execute(sql.SQL(_ALTER).format(**parts)).rowcount
    copied = connection.execute(sql.SQL(_COPY).format(**parts)).rowcount
    connection.execute("drop table picked")
    return changed + copied


def _relation(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split("."))
