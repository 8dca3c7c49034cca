"""The table identity.places_asked: which record asks which question, so that an unchanged one hears of a later answer.

SQL only. Here: what is still to be asked for unchanged records, and which of them an answer is news to. What was
answered is in `cache.py`.
"""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from sonik_assets.identity import inbox, memory
from sonik_assets.identity.identifiers import MENTIONS, REF
from sonik_assets.identity.places.queries import KINDS, as_json

TABLES = """
create table if not exists identity.places_asked (
    source text not null, table_name text not null, record_id text not null, query_hash text not null,
    primary key (source, table_name, record_id)
);
create index if not exists places_asked_query_hash on identity.places_asked (query_hash);
"""

OPEN = dict.fromkeys(("query_hash", "query"), pl.String)
# Never answered, answered by another register, or due again; and a record asks it that did not change: those that did
# may ask something else now. The comparisons of `origin` are an index's; `<>` is not.
_IS_OPEN = """
from identity.places_cache as c
where (c.origin is null or c.origin < %(origin)s or c.origin > %(origin)s or c.refresh_at <= now())
    and (c.status <> 'found' or c.origin is distinct from %(origin)s)
    and c.decided_by is null and not starts_with(c.query_hash, 'place_id:') and c.query_hash <> all(%(but)s)
    and exists (
        select from identity.places_asked as a
        where a.query_hash = c.query_hash
            and concat_ws('/', a.source, a.table_name, a.record_id) <> all(%(changed)s)
    )
"""
_OPEN = sql.SQL(f"""
select c.query_hash, c.query::text {_IS_OPEN}
order by c.origin is not null, c.refresh_at nulls first, c.query_hash limit %(limit)s
""")
# Who asks what has another answer now; and who holds, or gave up, an id that is gone, or is one again.
_NEWS = sql.SQL("""
select a.source, a.table_name, a.record_id
from identity.places_cache as c inner join identity.places_asked as a using (query_hash)
where c.news
union
select i.source, i.table_name, i.record_id
from identity.places_cache as c
inner join identity.identifiers as i on i.scheme = 'google_places_id' and i.value = c.place_id
where c.news and starts_with(c.query_hash, 'place_id:')
""")
_WAITING = """
insert into identity.places_cache (query_hash, query, status, candidates)
select query_hash, query, 'waiting', 0 from unnest(%s::text[], %s::jsonb[]) as asked (query_hash, query)
on conflict (query_hash) do nothing
"""


def still_open(connection: psycopg.Connection, origin: str, changed: Sequence[str], limit: int) -> pl.DataFrame:
    """Return OPEN of questions that `origin` is to be asked for unchanged records, those that wait first.

    changed: refs of records that changed.
    """
    bound = {"origin": origin, "changed": list(changed), "but": [], "limit": limit}
    return tables.read(connection, _OPEN, OPEN, bound)


def count_open(connection: psycopg.Connection, origin: str, changed: Sequence[str], but: Sequence[str]) -> int:
    """Return how many `still_open` would return without a limit, and without the hashes `but`."""
    bound = {"origin": origin, "changed": list(changed), "but": list(but)}
    (count,) = connection.execute(f"select count(*) {_IS_OPEN}", bound).fetchone() or (0,)
    return int(count)


def with_news(connection: psycopg.Connection, but: pl.DataFrame) -> pl.DataFrame:
    """Return what staging says of the records (without those in `but`, REF) to which an answer of late is news."""
    refs = tables.read(connection, _NEWS, dict.fromkeys(REF, pl.String)).join(but.select(REF), on=list(REF), how="anti")
    columns = {**MENTIONS, **inbox.EXTRA}
    if refs.is_empty():
        return pl.DataFrame(schema=columns)
    said = sql.SQL(
        "entity_type = any({kinds}) and record_id = any({ids})"
        " and (source, table_name, record_id) in (select * from unnest({}::text[], {}::text[], {}::text[]))"
    ).format(
        *(sql.Literal(refs[name].to_list()) for name in REF),
        kinds=sql.Literal(list(KINDS)),
        ids=sql.Literal(refs["record_id"].unique().to_list()),
    )
    with connection.transaction():
        return inbox.read_where(connection, "mentions", columns, said)


def remember(
    connection: psycopg.Connection, asking: pl.DataFrame, unanswered: pl.DataFrame, changed: pl.DataFrame, *, full: bool
) -> None:
    """Note who asks what, and what still waits; what was news is told. In the caller's transaction.

    asking: REF and query_hash of all records (`full`) or of those in `changed` (REF); unanswered: rows of `lacking`.
    """
    within = None
    if not full:
        memory.stage_refs(connection, changed)
        within = memory.IN_CHANGED
    if full or changed.height:
        tables.sync(connection, "identity.places_asked", REF, asking, delete=True, within=within)
    waiting = unanswered.unique("query_hash", maintain_order=True).select("query_hash", as_json())
    if waiting.height:
        connection.execute(_WAITING, [waiting[name].to_list() for name in OPEN])
    connection.execute("update identity.places_cache set news = false where news")
