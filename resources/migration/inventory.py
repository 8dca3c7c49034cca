"""What the source holds that deserves a word before a move, and what the versions in between have changed.

Counts and names only. What stops a move because the target lacks it is in `checks`.
"""

from dataclasses import dataclass

from resources.migration.catalogue import USER_SCHEMAS
from resources.migration.findings import Finding, Severity, some
from resources.migration.servers import Session

_RELATIONS = (
    "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
    f"where {USER_SCHEMAS} and "
)


@dataclass(frozen=True)
class Question:
    """A query for names, and what it means where it finds some."""

    severity: Severity
    area: str
    query: str
    found: str
    """What is said, after the number."""
    fix: str = ""


_COLUMNS = (
    "select c.oid::regclass::text || '.' || quote_ident(a.attname) from pg_attribute as a "
    "join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace "
    f"where {USER_SCHEMAS} and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and "
)
_OWN_FUNCTION = (
    "p.oid >= 16384 and not exists (select from unnest(p.proconfig) as s where s like 'search_path=%') "
    "and not exists (select from pg_depend as e where e.classid = 'pg_proc'::regclass and e.objid = p.oid "
    "and e.deptype = 'e') and p.prosqlbody is null and p.prolang in ("
    "select oid from pg_language where lanname not in ('c', 'internal'))"
)
_NOTES, _WARNS = Severity.NOTES, Severity.WARNS
QUESTIONS = (
    Question(_NOTES, "tables", _RELATIONS + "c.relkind = 'p' order by 1", "partitioned; each partition is copied"),
    Question(
        _NOTES, "tables", _RELATIONS + "c.relkind = 'r' and c.relpersistence = 'u' order by 1",
        "unlogged; their rows are copied, and a crash of the server empties them as before",
    ),
    Question(
        _WARNS, "tables", _RELATIONS + "c.relkind = 'p' and c.relpersistence = 'u' order by 1",
        "partitioned and unlogged, which version 18 no longer knows; they become ordinary ones",
        "their partitions keep their own mark",
    ),
    Question(
        _WARNS, "tables", _RELATIONS + "c.relkind = 'f' order by 1",
        "foreign; their definitions move, their rows stay where they are",
        "check that the target reaches the foreign servers, and enter the passwords of user mappings again",
    ),
    Question(
        _WARNS, "tables",
        _RELATIONS + "c.relkind = 'r' and exists (select from pg_depend as d where d.classid = 'pg_class'::regclass "
        "and d.objid = c.oid and d.deptype = 'e') order by 1",
        "of extensions; they are made by the extension, and rows that were added to them are not carried over",
        "copy rows of your own by hand",
    ),
    Question(_NOTES, "columns", _COLUMNS + "a.attgenerated <> '' order by 1", "generated; the target computes them"),
    Question(
        _NOTES, "columns", _COLUMNS + "a.attidentity <> '' order by 1",
        "identities; values and the next number are kept",
    ),
    Question(
        _WARNS, "types",
        _COLUMNS + "a.atttypid in ('regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, "
        "'regoperator'::regtype, 'regclass'::regtype, 'regtype'::regtype, 'regrole'::regtype, "
        "'regnamespace'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype, 'regcollation'::regtype) order by 1",
        "refer to objects of the database; they are carried by name",
        "an object that has gone stops the copy and is named",
    ),
    Question(
        _WARNS, "types", _COLUMNS + "a.atttypid in ('oid'::regtype, 'xid'::regtype, 'xid8'::regtype, 'cid'::regtype, "
        "'tid'::regtype, 'pg_snapshot'::regtype, 'txid_snapshot'::regtype) order by 1",
        "hold numbers that only the old server knows, unless they number large objects",
    ),
    Question(_NOTES, "sequences", _RELATIONS + "c.relkind = 'S' order by 1", "sequences; their values are carried"),
    Question(
        _NOTES, "views", _RELATIONS + "c.relkind = 'm' and c.relispopulated order by 1",
        "materialized views; they are filled anew from the moved tables",
    ),
    Question(
        _NOTES, "large objects", "select oid::text from pg_largeobject_metadata order by oid",
        "large objects; they keep their numbers",
    ),
    Question(
        _WARNS, "replication",
        "select slot_name || case when active then ' (active)' else '' end from pg_replication_slots "
        "where database is null or database = current_database() order by 1",
        "replication slots, which no move can carry",
        "create them on the target and let their readers start anew",
    ),
    Question(
        _NOTES, "replication", "select pubname from pg_publication order by 1",
        "publications; they move, and subscribers must be pointed to the target",
    ),
    Question(
        _WARNS, "replication",
        "select subname from pg_subscription where subdbid = "
        "(select oid from pg_database where datname = current_database()) order by 1",
        "subscriptions, which are not carried over because they hold passwords", "create them on the target",
    ),
    Question(
        _WARNS, "transactions", "select gid from pg_prepared_xacts where database = current_database() order by 1",
        "prepared transactions; what they have written is not visible and not copied",
        "commit or roll them back first",
    ),
    Question(
        _NOTES, "tablespaces", _RELATIONS + "c.reltablespace not in (0, 1664) order by 1",
        "in tablespaces of their own; they come into the target's default one",
    ),
    Question(
        _WARNS, "security labels", "select distinct provider || ' on ' || objtype from pg_seclabels order by 1",
        "kinds of security labels; the target needs their providers",
    ),
    Question(
        _WARNS, "version 17",
        "select distinct d.objid::regclass::text from pg_depend as d join pg_proc as p on p.oid = d.refobjid "
        "join pg_class as c on c.oid = d.objid where d.classid = 'pg_class'::regclass "
        f"and d.refclassid = 'pg_proc'::regclass and c.relkind in ('i', 'I') and {_OWN_FUNCTION} order by 1",
        "indexes over functions without a search_path; indexes are built with `pg_catalog` alone since 17",
        "name schemas inside of the functions, or give them `set search_path`",
    ),
    Question(
        _WARNS, "version 17",
        "select distinct r.ev_class::regclass::text from pg_depend as d join pg_proc as p on p.oid = d.refobjid "
        "join pg_rewrite as r on r.oid = d.objid join pg_class as c on c.oid = r.ev_class "
        "where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_proc'::regclass and c.relkind = 'm' "
        f"and {_OWN_FUNCTION} order by 1",
        "materialized views over functions without a search_path; they are filled with `pg_catalog` alone since 17",
        "name schemas inside of the functions, or give them `set search_path`",
    ),
    Question(
        _NOTES, "version 16",
        "select rolname from pg_roles where rolcreaterole and not rolsuper order by 1",
        "roles with `createrole`; since 16 they change only roles that were granted to them with admin option",
    ),
    Question(
        _WARNS, "version 18", "select 'md5' where current_setting('password_encryption') = 'md5'",
        "way to keep passwords, which 18 warns of and a later version drops",
        "use scram-sha-256 and set the passwords again",
    ),
    Question(
        _NOTES, "version 18",
        "select tgrelid::regclass::text || '.' || tgname from pg_trigger where tgdeferrable and not tgisinternal "
        "order by 1",
        "deferred triggers; since 18 they run as the role that was active when they were queued",
    ),
    Question(
        _NOTES, "version 18",
        "select distinct i.inhparent::regclass::text from pg_inherits as i join pg_class as c on c.oid = i.inhparent "
        "where c.relkind = 'r' order by 1",
        "tables that others inherit from; since 18 `vacuum` and `analyze` take the children too",
    ),
)  # fmt: skip


def take(source: Session) -> list[Finding]:
    """Return a finding for every question whose answer is not empty."""
    return [found for question in QUESTIONS if (found := _ask(source, question))]


def _ask(source: Session, question: Question) -> Finding | None:
    names = [str(row[0]) for row in source.execute(question.query).fetchall()]
    if not names:
        return None
    return Finding(question.severity, question.area, f"{len(names):,} {question.found}: {some(names)}", question.fix)
