"""Compatibility of the two servers: extensions, encodings, roles, settings, permissions, what only one of them has.

Each check asks both catalogues and returns findings. What the source holds is in `inventory`; whether the target
takes the schema as a whole is tried in `rehearsal`.
"""

import psycopg

from resources.migration import state
from resources.migration.catalogue import USER_SCHEMAS
from resources.migration.findings import Finding, blocks, notes, some, warns
from resources.migration.servers import Session

_HOLDS = f"""
select kind || ' ' || name from (
    select 'relation' as kind, c.oid::regclass::text as name, 'pg_class'::regclass as catalogue, c.oid
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where {USER_SCHEMAS} and c.relkind not in ('i', 'I')
    union all
    select 'function', p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace where {USER_SCHEMAS}
    union all
    select 'type', t.oid::regtype::text, 'pg_type'::regclass, t.oid
    from pg_type as t join pg_namespace as n on n.oid = t.typnamespace
    where {USER_SCHEMAS} and t.typrelid = 0 and t.typcategory <> 'A'
    union all
    select 'schema', n.nspname, 'pg_namespace'::regclass, n.oid
    from pg_namespace as n where {USER_SCHEMAS} and n.nspname <> 'public'
    union all
    select 'publication', pubname, 'pg_publication'::regclass, oid from pg_publication
    union all
    select 'large object', oid::text, 'pg_largeobject'::regclass, oid from pg_largeobject_metadata
) as held
where not exists (
    select from pg_depend as d
    where d.classid = held.catalogue and d.objid = held.oid and d.deptype = 'e'
)
limit 20
"""
_ROLES = f"""
select r.rolname::text from pg_shdepend as d join pg_roles as r on r.oid = d.refobjid
where d.refclassid = 'pg_authid'::regclass
    and d.dbid = (select oid from pg_database where datname = current_database())
union
-- The server's first superuser is in no list of dependencies.
select r.rolname::text from pg_roles as r where r.oid = 10 and (
    exists (select from pg_class where relowner = 10 and oid >= 16384)
    or exists (select from pg_proc where proowner = 10 and oid >= 16384)
    or exists (select from pg_type where typowner = 10 and oid >= 16384)
    or exists (select from pg_namespace as n where nspowner = 10 and oid >= 16384 and {USER_SCHEMAS})
)
order by 1
"""
_CREATE_ROLE = """
select format(
    'create role %%I %%s%%s%%s%%s%%s;', r.rolname, case when r.rolcanlogin then 'login' else 'nologin' end,
    case when r.rolinherit then '' else ' noinherit' end, case when r.rolcreatedb then ' createdb' else '' end,
    case when r.rolcreaterole then ' createrole' else '' end, case when r.rolbypassrls then ' bypassrls' else '' end
), r.rolsuper
from pg_roles as r where r.rolname = any(%s::name[]) order by r.rolname
"""
_MEMBERS = """
select format('grant %%I to %%I;', g.rolname, m.rolname)
from pg_auth_members as a join pg_roles as g on g.oid = a.roleid join pg_roles as m on m.oid = a.member
where m.rolname = any(%s::name[]) order by 1
"""
SETTINGS = (  # noqa: SIM905 - a list would take thirty lines
    "TimeZone DateStyle IntervalStyle default_text_search_config search_path standard_conforming_strings array_nulls "
    "default_transaction_isolation default_toast_compression row_security statement_timeout lock_timeout "
    "idle_in_transaction_session_timeout max_connections max_prepared_transactions wal_level max_wal_senders "
    "max_replication_slots shared_preload_libraries password_encryption lc_monetary lc_numeric lc_time lc_messages"
).split()
"""Settings that change what statements mean or whether programs can connect."""
READ_ONLY = ("lc_collate", "lc_ctype")
"""Facts about a database that older versions listed as settings."""


def empty(target: Session) -> list[Finding]:
    """Nothing may be in the target; what an extension brought does not count."""
    if state.begun(target):
        return [blocks("target", "a move into it has begun and not ended", "run it without --check to go on")]
    held = [str(row[0]) for row in target.execute(_HOLDS).fetchall()]
    if not held:
        return []
    fix = "name a new database in --to: it is created"
    return [blocks("target", f"it is not empty: {some(held, 5)}", fix)]


def extensions(source: Session, target: Session) -> list[Finding]:
    """Every extension of the source must be installable in the target."""
    offered = target.execute("select name::text, default_version::text from pg_available_extensions").fetchall()
    theirs: dict[str, str] = dict(offered)
    found: list[Finding] = []
    for name, version in source.execute("select extname::text, extversion::text from pg_extension").fetchall():
        if name not in theirs:
            fix = (
                f"install it on the target's server, or drop it in the source if nothing uses it: drop extension {name}"
            )
            found.append(blocks("extensions", f"{name} {version} is not available in the target", fix))
        elif _number(theirs[name]) < _number(version):
            said = f"{name} is {version} in the source and {theirs[name]} in the target"
            found.append(warns("extensions", said, "install the newer one if what is new is used"))
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def encodings(source: Session, target: Session) -> list[Finding]:
    """Text must fit, and sort and compare as before."""
    query = (
        "select pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, datlocprovider::text "
        "from pg_database where datname = current_database()"
    )
    ours, theirs = (session.execute(query).fetchone() or ("", "", "", "") for session in (source, target))
    found: list[Finding] = []
    if ours[0] == "SQL_ASCII" and theirs[0] != "SQL_ASCII":
        fix = "text that is no valid UTF-8 stops the copy and is named; correct it in the source"
        found.append(warns("encoding", "the source (SQL_ASCII) never checked its text", fix))
    elif theirs[0] not in ("UTF8", ours[0]):
        fix = "create the target database with encoding 'UTF8' template template0"
        found.append(blocks("encoding", f"{ours[0]} in the source, {theirs[0]} in the target", fix))
    if ours[1:] != theirs[1:]:
        said = f"sorted by {_locale(ours)} in the source and by {_locale(theirs)} in the target"
        fix = "text may come in another order; give `collate` where the order of one language matters"
        found.append(warns("collation", said, fix))
    return found


def _locale(row: tuple[object, ...]) -> str:
    providers = {"c": "libc", "i": "ICU", "b": "built-in"}
    return f"{row[1]} ({providers.get(str(row[3]), row[3])})"


def collations(source: Session, target: Session) -> list[Finding]:
    """Find collations of columns that the target does not know; ICU's need a server with ICU."""
    used = source.execute(
        "select distinct c.collname::text, c.collprovider::text, c.oid < 16384 from pg_attribute as a "
        "join pg_class as r on r.oid = a.attrelid join pg_namespace as n on n.oid = r.relnamespace "
        f"join pg_collation as c on c.oid = a.attcollation where {USER_SCHEMAS} and c.collprovider <> 'd'"
    ).fetchall()
    known = {row[0] for row in target.execute("select collname::text from pg_collation")}
    # Every server lists one of ICU's, one that is built with ICU hundreds.
    icu = target.execute("select count(*) > 1 from pg_collation where collprovider = 'i'").fetchone() == (True,)
    lost = [str(name) for name, provider, own in used if (own and name not in known) or (provider == "i" and not icu)]
    fix = "give the columns another collation, or install the locale on the target's machine"
    return [blocks("collation", f"the target does not know {some(lost)}", fix)] if lost else []


def xml(source: Session, target: Session) -> list[Finding]:
    """Find columns of XML where the target was built without it: their table is made, and takes no row."""
    columns = source.execute(
        "select c.oid::regclass::text || '.' || quote_ident(a.attname) from pg_attribute as a "
        "join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace "
        f"where {USER_SCHEMAS} and c.relkind in ('r', 'p') and a.atttypid in ('xml'::regtype, 'xml[]'::regtype)"
    ).fetchall()
    if not columns:
        return []
    try:
        target.execute("select xmlparse(content '<a/>')")
    except psycopg.errors.FeatureNotSupported:
        found = f"the target was built without XML, and {some([str(row[0]) for row in columns])} hold it"
        return [blocks("types", found, "make them text in the source: alter table ... alter column ... type text")]
    return []


def missing_roles(source: Session, target: Session) -> list[str]:
    """Return the roles that own or are granted something and that the target has not."""
    known = {str(row[0]) for row in target.execute("select rolname::text from pg_roles")}
    return [str(row[0]) for row in source.execute(_ROLES).fetchall() if str(row[0]) not in known]


def role_statements(source: Session, missing: list[str]) -> list[str]:
    """Return the statements that create them, without passwords and without the superuser's rights."""
    created = [str(row[0]) for row in source.execute(_CREATE_ROLE, (missing,)).fetchall()]
    granted = [str(row[0]) for row in source.execute(_MEMBERS, (missing,)).fetchall()]
    return created + granted


def roles(source: Session, target: Session) -> list[Finding]:
    """Owners and grants need their roles; each that is missing comes with the statements to create it."""
    missing = missing_roles(source, target)
    if not missing:
        return []
    fix = "--create-roles does it, without passwords: " + " ".join(role_statements(source, missing))
    return [blocks("roles", f"the target lacks {some(missing)}", fix)]


def settings(source: Session, target: Session) -> list[Finding]:
    """Find settings that differ, that the target no longer has, and those kept for the database or a role."""
    # What a new session starts with: our own sessions have settings of their own.
    query = "select name, reset_val, reset_val is distinct from boot_val from pg_settings"
    ours, theirs = ({str(n): (str(v), bool(c)) for n, v, c in each.execute(query)} for each in (source, target))
    found: list[Finding] = []
    gone = sorted(n for n, (_, changed) in ours.items() if changed and n not in theirs and n not in READ_ONLY)
    if gone:
        found.append(warns("settings", f"the target does not know {some(gone)}", "leave them out of its configuration"))
    differing = [n for n in SETTINGS if n in ours and n in theirs and ours[n][0] != theirs[n][0]]
    if differing:
        said = "; ".join(f"{n} '{ours[n][0]}' there, '{theirs[n][0]}' here" for n in differing)
        found.append(notes("settings", f"differ: {said}", "set what your programs rely on"))
    return found + _kept_settings(source)


def _kept_settings(source: Session) -> list[Finding]:
    rows = source.execute(
        "select format('alter %s set %s = %s', case when s.setrole = 0 then format('database %I', current_database()) "
        "when s.setdatabase = 0 then format('role %I', r.rolname) "
        "else format('role %I in database %I', r.rolname, current_database()) end, "
        # Lists of names are kept quoted already.
        "split_part(c.setting, '=', 1), case when split_part(c.setting, '=', 1) in ('search_path', 'temp_tablespaces', "
        "'local_preload_libraries', 'session_preload_libraries') then substr(c.setting, strpos(c.setting, '=') + 1) "
        "else quote_literal(substr(c.setting, strpos(c.setting, '=') + 1)) end) "
        "from pg_db_role_setting as s left join pg_roles as r on r.oid = s.setrole, unnest(s.setconfig) as c (setting) "
        "where s.setdatabase in (0, (select oid from pg_database where datname = current_database())) order by 1"
    ).fetchall()
    if not rows:
        return []
    fix = "; ".join(str(row[0]) for row in rows)
    return [notes("settings", f"{len(rows)} kept for the database or its roles are not carried over", fix)]


def database_grants(source: Session, _: Session) -> list[Finding]:
    """Find grants on the database as a whole, which belong to the server's administration and stay behind."""
    rows = source.execute(
        "select distinct format('grant %s on database %I to %s', lower(a.privilege_type), d.datname, "
        "case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end) "
        "from pg_database as d, aclexplode(d.datacl) as a where d.datname = current_database() "
        "and a.grantee <> d.datdba order by 1"
    ).fetchall()
    fix = "; ".join(str(row[0]) for row in rows)
    return [notes("roles", "grants on the database itself are not carried over", fix)] if rows else []


def permissions(source: Session, target: Session) -> list[Finding]:
    """Every table must be readable as a whole, and the target must let us create."""
    unread = source.execute(
        "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        f"where {USER_SCHEMAS} and c.relkind in ('r', 'p', 'S') and (not has_schema_privilege(n.oid, 'USAGE') "
        "or not case c.relkind when 'S' then has_sequence_privilege(c.oid, 'SELECT') "
        "else has_table_privilege(c.oid, 'SELECT') end or row_security_active(c.oid)) order by 1"
    ).fetchall()
    found: list[Finding] = []
    if unread:
        names = some([str(row[0]) for row in unread])
        fix = "connect as their owner or as a superuser"
        found.append(blocks("permissions", f"the source's user may not read all of {names}", fix))
    creates = target.execute("select has_database_privilege(current_database(), 'CREATE')").fetchone()
    if creates != (True,):
        fix = "grant create on the database to it, or connect as the database's owner"
        found.append(blocks("permissions", "the target's user may create nothing", fix))
    if target.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() != (True,):
        said = "the target's user is no superuser: it must be a member of every owner"
        found.append(warns("permissions", said, "extensions and publications of all tables need a superuser"))
    return found
