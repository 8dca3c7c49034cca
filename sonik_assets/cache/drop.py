"""Drops answers whose records changed: the store `cache/answers` on the change feed. The rules are in docs/cache.md.

It is told nothing that graphs and vectors have not: an answer that is made again must be made of what is new. The order
makes a crash harmless: drop, remember the position in Redis, wait for its disk, acknowledge in PostgreSQL.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resources.errors import TransientError
from resources.stores.postgres import connect
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    from psycopg import Connection

    from sonik_assets.changes.folding import Batch
    from sonik_assets.serving.shelf import Held

STORE = "cache/answers"
BATCH = 50_000
FSYNC_MS = 30_000
UNREAD = ("embeddings",)
"""Stores that nothing is answered from."""
UNCITED = ("source_records",)
"""Tables of records that nothing is answered from."""

_TABLES = """
select tablename::text from pg_publication_tables where pubname = 'sonik' and schemaname = 'unified'
    and tablename <> all(%s)
"""
_IDS = """
select c.relname::text, a.attname::text from pg_attribute as a inner join pg_class as c on c.oid = a.attrelid
where c.relnamespace = 'unified'::regnamespace and c.relname = any(%s) and a.atttypid = 'uuid'::regtype
    and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""
_OTHERS = "select min(lsn)::text from ops.store_acks where store <> all(%s)"


@dataclass
class Dropped:
    """What was dropped: why everything was (nothing: it was not), how many keys changed, and each answer's question."""

    emptied: str = ""
    changed: int = 0
    answers: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)


def follow(postgres_url: str, held: "Held", *, batch: int = BATCH) -> Dropped:
    """Drop the answers that are out of date; TransientError while another process does, or where Redis is away."""
    import redis

    done = Dropped()
    with connect(postgres_url) as pg:
        pg.autocommit = True
        with only_writer(pg, STORE):
            try:
                _follow(pg, held, done, batch)
            except redis.RedisError as error:
                raise TransientError(f"{STORE}: Redis failed while answers were dropped: {error}; run again") from error
    return done


def _follow(pg: "Connection[Any]", held: "Held", done: Dropped, size: int) -> None:
    slot.make_ready(pg)
    upto, run = _least_of_others(pg), _run(held)
    if reason := _why_all(pg, held):
        _drop_all(pg, held, done, reason, run)
    place = acks.acknowledged(pg, STORE)
    if place is None or (upto is not None and upto <= place.lsn):
        return
    tables = [name for (name,) in pg.execute(_TABLES, [list(UNCITED)]).fetchall()]
    dropped = False  # since the last position: a large transaction comes in several batches, its end with the last
    for batch in feed.read(pg, place.lsn, tables, size, upto=upto):
        if batch.rebuild:
            _drop_all(pg, held, done, "a table was emptied, made anew or newly published", run)
            break
        if batch.keys:
            feed.settled(pg, batch.xids)
            _drop(pg, held, done, batch)
            dropped = True
        if batch.end is not None:
            if dropped:
                _remember(held, batch.end, run)
            acks.acknowledge(pg, STORE, batch.end, applied=dropped)
            dropped = False
    slot.advance(pg)


def _why_all(pg: "Connection[Any]", held: "Held") -> str:
    """Return why changes alone do not tell which answers are out of date; nothing where they do."""
    place, told, confirmed = acks.acknowledged(pg, STORE), _position(held), slot.state(pg).confirmed
    if place is None or told is None:
        return "nobody knows how far the answers are"
    if told < place.applied:
        return f"Redis lost what it had: it is at {told}, and was at {place.applied}"
    if max(told, place.lsn) > slot.position(pg):
        return f"they are at {max(told, place.lsn)}, ahead of PostgreSQL's log: that is another server, or one restored"
    if confirmed is None or place.lsn < confirmed:
        return f"the log from {place.lsn} on is gone"
    return ""


def _drop_all(pg: "Connection[Any]", held: "Held", done: Dropped, reason: str, run: str) -> None:
    """Drop everything. What graphs and vectors do not have yet is read again later."""
    begin = _least_of_others(pg) or feed.settled_position(pg)
    held.entries.begin_drop()
    done.emptied = reason
    _told(held, done, held.entries.drop_all())
    _remember(held, begin, run)
    with pg.transaction():
        acks.forget(pg, STORE)
        acks.acknowledge(pg, STORE, begin, applied=True)


def _drop(pg: "Connection[Any]", held: "Held", done: Dropped, batch: "Batch") -> None:
    changed = changed_ids(pg, batch)
    done.changed += sum(map(len, batch.keys.values()))
    held.entries.begin_drop()
    _told(held, done, held.entries.drop_cited(set().union(*changed.values())))
    documents = {relation for table in TABLES.values() for relation in table.reads}
    if any(batch.keys.get(relation) for relation in documents):
        # It may belong in answers that cite it nowhere: by a word, a filter or its meaning.
        _told(held, done, held.entries.drop_semantic())


def _told(held: "Held", done: Dropped, dropped: list[dict[str, Any]]) -> None:
    done.answers += len(dropped)
    done.asked += dropped
    held.forget(dropped)


def changed_ids(pg: "Connection[Any]", batch: "Batch") -> dict[str, set[str]]:
    """Return by table every id that its changed rows hold or held: their own, and those of records they belong to."""
    found = {name: set(rows) for name, rows in batch.keys.items()}
    columns: dict[str, list[str]] = {}
    for table, column in pg.execute(_IDS, [list(found)]).fetchall():
        columns.setdefault(table, []).append(column)
    for table, names in columns.items():
        olds = [*(row for row in batch.keys[table].values() if row is not None), *batch.further.get(table, ())]
        found[table] |= {value for row in olds for name in names if (value := row.get(name))}
        found[table] |= _present_ids(pg, table, names, list(batch.keys[table]))
    return found


def _present_ids(pg: "Connection[Any]", table: str, columns: list[str], keys: list[str]) -> set[str]:
    if len(columns) < 2:
        return set()
    from psycopg import sql

    # The feed tells the first column of the key, which is the table's first of this type.
    query = sql.SQL("select distinct unnest(array[{}])::text from unified.{} where {} = any(%s::uuid[])").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table), sql.Identifier(columns[0])
    )
    return {id for (id,) in pg.execute(query, [keys]).fetchall() if id is not None}


def _least_of_others(pg: "Connection[Any]") -> Lsn | None:
    row = pg.execute(_OTHERS, [[STORE, *UNREAD]]).fetchone()
    return None if row is None or row[0] is None else Lsn.parse(row[0])


def _position(held: "Held") -> Lsn | None:
    found: Any = held.client.get(f"{held.root}:position")
    return None if found is None else Lsn.parse(found.decode())


def _run(held: "Held") -> str:
    server: Any = held.client.info("server")
    return str(server["run_id"])


def _remember(held: "Held", lsn: Lsn, run: str) -> None:
    """Write the position behind everything else, and wait until all is on disk, where there is an append-only file.

    TransientError where it is not, and where the server was started again since `run`: it may be back where it was.
    """
    import redis

    held.client.set(f"{held.root}:position", str(lsn))
    synced = 1
    try:
        # One without such a file cannot say: after a crash its position is behind, and everything is dropped.
        synced, _ = held.client.execute_command("WAITAOF", 1, 0, FSYNC_MS)  # type: ignore[no-untyped-call]
    except redis.ResponseError as error:
        if "appendonly" not in str(error) and "unknown command" not in str(error):
            raise
    if not synced or _run(held) != run:
        held.client.delete(f"{held.root}:position")
        raise TransientError(f"{STORE}: Redis was started again, or wrote nothing to disk; run again")
