"""People take a visitor's link to a user back, and give it again: who, when and why, kept over every later run.

A person is meant, so a decision is written for each account of theirs that the visitor is linked by. It takes effect at
once: the visitor's spans are computed anew by the same rules as in a run, which are in `rules.py`.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores import tables
from sonik_assets.identity.inbox import mark_decided
from sonik_assets.identity.tables import lock
from sonik_assets.identity.visitors.rules import EVIDENCE, PAIR, USERS, spans

TABLES = """
create table if not exists identity.visitor_undos (
    id bigint generated always as identity primary key,
    anonymous_id text not null, user_record text not null,
    decided_by text not null, reason text not null, decided_at timestamptz not null default now(),
    retired_by text, retired_at timestamptz -- given again
);
create unique index if not exists visitor_undos_live
    on identity.visitor_undos (anonymous_id, user_record) where retired_at is null;
create index if not exists visitors_user_record on identity.visitors (user_record);
do $$ begin
    -- A range of one text, for equality: GiST knows ranges, and texts only with the extension btree_gist.
    if to_regtype('identity.text_range') is null then
        create type identity.text_range as range (subtype = text, collation = "C");
    end if;
    -- The hash (a range of one number) finds the visitor in the index; the text makes it exact. Deferred: a run that
    -- moves a boundary writes one of the two spans first.
    if not exists (select from pg_constraint where conname = 'visitors_linked_once') then
        alter table identity.visitors add constraint visitors_linked_once exclude using gist (
            int8range(hashtextextended(anonymous_id, 0) >> 1, hashtextextended(anonymous_id, 0) >> 1, '[]') with &&,
            identity.text_range(anonymous_id, anonymous_id, '[]') with &&,
            tstzrange(valid_from, valid_to) with &&
        ) where (status = 'linked') deferrable initially deferred;
    end if;
end $$;
"""
"""Run after `identity.tables.ensure_tables`; changes nothing that is there."""

DECISIONS: dict[str, Any] = {
    **PAIR,
    **dict.fromkeys(("decided_by", "reason"), pl.String),
    "decided_at": pl.Datetime("us", "UTC"),
}
KEY = ("anonymous_id", "user_record", "evidence_at")
"""The key of identity.visitors."""

_UNDO = """
insert into identity.visitor_undos (anonymous_id, user_record, decided_by, reason)
select %s, account, %s, %s from unnest(%s::text[]) as account
on conflict do nothing
"""
_REDO = """
update identity.visitor_undos set retired_by = %s, retired_at = now()
where anonymous_id = %s and user_record = any(%s) and retired_at is null
returning user_record
"""
_UNDONE = sql.SQL("""
select anonymous_id, user_record, decided_by, reason, decided_at from identity.visitor_undos
where retired_at is null and (%(ids)s::text[] is null or anonymous_id = any(%(ids)s))
""")
_EVIDENCE = sql.SQL("""
select anonymous_id, user_record, method, evidence_at from staging.visitor_evidence where anonymous_id = any(%(ids)s)
""")
# Not users whose record was deleted: entity_map remembers those too.
_USERS = sql.SQL("""
select record_id, entity_id::text
from identity.entity_map
join staging.mentions using (source, table_name, record_id)
where source = 'mongo' and table_name = 'users' and record_id = any(%(users)s)
""")
_HELD = sql.SQL("""
select anonymous_id, user_record, evidence_at from identity.visitors where anonymous_id = any(%(ids)s)
""")
_DROP = """
delete from identity.visitors as v
using unnest(%s::text[], %s::text[], %s::timestamptz[]) as gone (anonymous_id, user_record, evidence_at)
where (v.anonymous_id, v.user_record, v.evidence_at) = (gone.anonymous_id, gone.user_record, gone.evidence_at)
"""

_MISSING = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_UNBUILT = "staging does not exist: build the dbt staging models first"


def undo(connection: psycopg.Connection, anonymous_id: str, user_record: str, by: str, reason: str) -> list[str]:
    """Take the link back, for all the person's evidence, that of later runs too; its time stays anonymous.

    Return the accounts: this one, and the person's others that say so of the visitor (one row of identity.visitors
    may speak for several). Raises TerminalError where this one does not; to undo twice changes nothing.
    """
    with connection.transaction():
        lock(connection)
        evidence, users = _staged(connection, {"ids": [anonymous_id]})
        if user_record not in evidence["user_record"]:
            raise TerminalError(f"visitor {anonymous_id} is not linked to user {user_record}: nothing to undo")
        accounts = _of_one_person(users, user_record)
        connection.execute(_UNDO, [anonymous_id, by, reason, accounts])
        recompute(connection, [anonymous_id])
        mark_decided(connection)
    return accounts


def redo(connection: psycopg.Connection, anonymous_id: str, user_record: str, by: str) -> list[str]:
    """Give an undone link again, of all accounts of the person; return those that were undone.

    Raises TerminalError where none is.
    """
    with connection.transaction():
        lock(connection)
        taken = undone(connection, [anonymous_id])["user_record"].to_list()
        users = _known(connection, [*taken, user_record])
        again = connection.execute(_REDO, [by, anonymous_id, _of_one_person(users, user_record)]).fetchall()
        if not again:
            raise TerminalError(f"the link of visitor {anonymous_id} to user {user_record} is not undone")
        recompute(connection, [anonymous_id])
        mark_decided(connection)
    return sorted(account for (account,) in again)


def undone(connection: psycopg.Connection, anonymous_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Return DECISIONS in force, of those visitors or of all: what `spans` takes as `undone`."""
    ids = None if anonymous_ids is None else list(anonymous_ids)
    return tables.read(connection, _UNDONE, DECISIONS, {"ids": ids})


def recompute(connection: psycopg.Connection, anonymous_ids: Sequence[str]) -> tables.Counts:
    """Bring these visitors' rows of identity.visitors to what evidence, users and decisions say now.

    A full run gives the same rows; one that is under way is waited for.
    Raises TerminalError where dbt has not built staging.
    """
    ids = {"ids": list(anonymous_ids)}
    with connection.transaction():
        lock(connection)
        evidence, users = _staged(connection, ids)
        found = spans(evidence, users, undone(connection, anonymous_ids))
        held = tables.read(connection, _HELD, {name: EVIDENCE[name] for name in KEY}, ids)
        gone = held.join(found, on=KEY, how="anti")
        connection.execute(_DROP, [gone[name].to_list() for name in KEY])
        written = tables.sync(connection, "identity.visitors", KEY, found, delete=False, touch=["linked_at"])
        return tables.Counts(written.inserted, written.updated, gone.height)


def _of_one_person(users: pl.DataFrame, user_record: str) -> list[str]:
    """Return the account and the others of USERS that are the same person; one that is no record is alone."""
    person = users.filter(pl.col("user_record") == user_record)
    same = users.join(person, on="entity_id", how="semi")["user_record"].to_list()
    return sorted({user_record, *same})


def _staged(connection: psycopg.Connection, ids: dict[str, list[str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return EVIDENCE of the visitors, and USERS that it names."""
    try:
        evidence = tables.read(connection, _EVIDENCE, EVIDENCE, ids)
    except _MISSING as error:
        raise TerminalError(_UNBUILT) from error
    return evidence, _known(connection, evidence["user_record"].unique().drop_nulls().to_list())


def _known(connection: psycopg.Connection, users: list[str]) -> pl.DataFrame:
    try:
        return tables.read(connection, _USERS, USERS, {"users": users})
    except _MISSING as error:
        raise TerminalError(_UNBUILT) from error
