"""The schema's way: pg_dump writes it inside of the move's snapshot, psql and pg_restore bring it to the target.

Tables come before the data in one transaction; indexes, constraints, triggers, policies and publications after it,
in parallel. What a killed attempt has made of the latter is found in the catalogue and left out.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from resources.migration.catalogue import STATE_SCHEMA
from resources.migration.servers import Server, Session
from resources.migration.state import SCHEMA_MOVED
from resources.migration.tools import ToolFailed, Tools, run

_ENTRY = re.compile(r"^\d+; (?P<catalogue>\d+) (?P<oid>\d+) ")
_HEADER = re.compile(r"^-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>[^;]*)")
_IDENTITIES = """
select p.catalogue::int8, p.oid::int8, i.type, i.object_names, i.object_args
from (
    select 'pg_class'::regclass as catalogue, oid from pg_class where relkind in ('i', 'I')
    union all select 'pg_constraint'::regclass, oid from pg_constraint
    union all select 'pg_trigger'::regclass, oid from pg_trigger where not tgisinternal
    union all select 'pg_rewrite'::regclass, oid from pg_rewrite where rulename <> '_RETURN'
    union all select 'pg_policy'::regclass, oid from pg_policy
    union all select 'pg_statistic_ext'::regclass, oid from pg_statistic_ext
    union all select 'pg_event_trigger'::regclass, oid from pg_event_trigger
    union all select 'pg_publication'::regclass, oid from pg_publication
    union all select 'pg_publication_rel'::regclass, oid from pg_publication_rel
    union all select 'pg_publication_namespace'::regclass, oid from pg_publication_namespace
) as p
cross join lateral pg_identify_object_as_address(p.catalogue, p.oid, 0) as i
where p.oid >= 16384
"""
_LOOSENING = """
select format('drop event trigger %I', evtname) from pg_event_trigger as e
where not exists (
    select from pg_depend as d
    where d.classid = 'pg_event_trigger'::regclass and d.objid = e.oid and d.deptype = 'e'
)
union all
select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
where contype = 'f' and conparentid = 0
union all
select format('drop trigger %I on %s', tgname, tgrelid::regclass) from pg_trigger
where not tgisinternal and tgparentid = 0
"""


@dataclass(frozen=True)
class Dump:
    """A schema as pg_dump wrote it, in a private folder."""

    archive: Path
    before_data: Path
    after_data: Path

    @property
    def digest(self) -> str:
        """The same for the same schema, whenever it is dumped."""
        text = self.before_data.read_text() + self.after_data.read_text()
        # A comment may name versions, and \\restrict has a new key each time.
        lines = [line for line in text.splitlines() if not line.startswith(("-- Dump", "\\restrict", "\\unrestrict"))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def dump(tools: Tools, source: Server, folder: Path, snapshot: str | None = None) -> Dump:
    """Write the schema of the source, seen at a snapshot, into a folder. Subscriptions and tablespaces stay behind."""
    made = Dump(folder / "schema.dump", folder / "before.sql", folder / "after.sql")
    options = ["--schema-only", "--format=custom", "--no-subscriptions", "--no-tablespaces", "--encoding=UTF8"]
    # The source may itself be the target of a move that was given up.
    options += [f"--exclude-schema={STATE_SCHEMA}"]
    options += [f"--snapshot={snapshot}"] if snapshot else []
    run(tools, "pg_dump", *options, "--file", str(made.archive), url=source.url, on=" to write the schema")
    for section, file in (("pre-data", made.before_data), ("post-data", made.after_data)):
        run(tools, "pg_restore", f"--section={section}", "--file", str(file), str(made.archive))
    return made


def move_tables(tools: Tools, target: Server, made: Dump) -> None:
    """Create all that comes before the data, and record it, in one transaction."""
    arguments = ["--single-transaction", "--file", str(made.before_data), "--command", SCHEMA_MOVED]
    _script(tools, target, made.before_data, arguments)


def rehearse(tools: Tools, target: Server, made: Dump) -> None:
    """Create the whole schema, without data, in a transaction that is rolled back. Raises ToolFailed."""
    both = made.archive.with_name("rehearsal.sql")
    # The end of the script is read only if all before it worked; a failure rolls back too.
    both.write_text(f"begin;\n{made.before_data.read_text()}\n{made.after_data.read_text()}\nrollback;\n")
    _script(tools, target, both, ["--file", str(both)])


def _script(tools: Tools, target: Server, script: Path, arguments: list[str]) -> None:
    try:
        run(tools, "psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", *arguments, url=target.url)
    except ToolFailed as error:
        what = _item(script, error.line)
        raise ToolFailed(f"the target does not take {what}: {error.said}" if what else str(error)) from error


def _item(script: Path, line: int | None) -> str:
    """Return what the script creates at a line: "view public.totals"."""
    for text in reversed(script.read_text().splitlines()[: line or 0]):
        if header := _HEADER.match(text):
            schema = "" if header["schema"] == "-" else f"{header['schema']}."
            return f"{header['type'].lower()} {schema}{header['name']}"
    return ""


def finish(tools: Tools, source: Session, target: Session, server: Server, made: Dump, jobs: int) -> None:
    """Create what comes after the data and is not there yet."""
    listed = run(tools, "pg_restore", "--list", "--section=post-data", str(made.archive)).splitlines()
    done = _present(source, target)
    wanted = [line for line in listed if not _is_in(done, line)]
    chosen = made.archive.with_name("after.list")
    chosen.write_text("\n".join(wanted) + "\n")
    options = [f"--jobs={jobs}", "--exit-on-error", "--no-tablespaces", f"--use-list={chosen}"]
    try:
        run(tools, "pg_restore", *options, str(made.archive), url=server.url)
    except ToolFailed as error:
        raise ToolFailed(
            f"the target does not take an index, a constraint or the like: {error.said}; "
            "correct it in the source, then the same command goes on"
        ) from error


def _present(source: Session, target: Session) -> set[tuple[int, int]]:
    """Return catalogue and oid (both the source's) of what the target has already."""
    there = {_identity(row) for row in target.execute(_IDENTITIES)}
    return {(row[0], row[1]) for row in source.execute(_IDENTITIES) if _identity(row) in there}


def _identity(row: tuple[object, ...]) -> tuple[object, ...]:
    return row[2], *(tuple(part) if isinstance(part, list) else part for part in row[3:])


def _is_in(done: set[tuple[int, int]], line: str) -> bool:
    entry = _ENTRY.match(line)
    return entry is not None and (int(entry["catalogue"]), int(entry["oid"])) in done


def loosen(target: Session) -> None:
    """Take away what keeps tables from being emptied and copied again; `finish` creates it anew."""
    with target.transaction():
        for (statement,) in target.execute(_LOOSENING).fetchall():
            target.execute(str(statement).encode())
