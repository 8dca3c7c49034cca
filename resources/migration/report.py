"""The compatibility report: every check of two servers, and a rehearsal of the schema. It changes neither server."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from resources.embedded.urls import database_of
from resources.migration import checks, inventory, schema, tools
from resources.migration.findings import Finding, Severity, blocks, notes
from resources.migration.servers import (
    Server,
    Session,
    beside,
    check_pair,
    describe,
    exists,
    explained,
    readable,
    session,
)


@dataclass(frozen=True)
class Report:
    """Two servers and what was found."""

    source: Server
    target: Server
    findings: list[Finding]

    @property
    def blocked(self) -> list[Finding]:
        """What stops the move."""
        return [each for each in self.findings if each.severity is Severity.BLOCKS]


def check(source_url: str, target_url: str) -> Report:
    """Compare two servers. A target database that does not exist yet is one that the move creates.

    Raises TerminalError where no move between them makes sense, TransientError where one cannot be reached.
    """
    there = exists(target_url)
    reached = readable(target_url) if there else beside(target_url)
    with explained(), session(readable(source_url)) as source, session(reached) as target:
        old, tried = describe(readable(source_url), source), describe(reached, target)
        new = replace(tried, url=readable(target_url), database=database_of(readable(target_url)))
        check_pair(old, new if not there else tried)
        found = [_servers(old, new, there=there), *compare(source, target, there=there)]
        if not any(each.severity is Severity.BLOCKS for each in found):
            # Beside a database that is yet to be made, only an empty one can take the schema for a moment.
            found += rehearsal(old, tried) if there or not checks.empty(target) else [_NOT_TRIED]
    return Report(old, new, found)


def compare(source: Session, target: Session, *, there: bool = True) -> list[Finding]:
    """Return what the catalogues of both say."""
    two_sided = (
        checks.extensions,
        checks.encodings,
        checks.collations,
        checks.xml,
        checks.roles,
        checks.database_grants,
        checks.settings,
    )
    found = checks.empty(target) if there else []
    found += checks.permissions(source, target)
    found += [finding for each in two_sided for finding in each(source, target)]
    return found + inventory.take(source)


def rehearsal(source: Server, target: Server) -> list[Finding]:
    """Create the source's schema in the target, without rows, in a transaction that is rolled back."""
    with tempfile.TemporaryDirectory(prefix="sonik-move-") as folder:
        programs = tools.find(target.major)
        made = schema.dump(programs, source, Path(folder))
        try:
            schema.rehearse(programs, target, made)
        except tools.ToolFailed as error:
            return [blocks("schema", str(error), "change or drop it in the source")]
    return [notes("schema", "the target takes all of it (tried, and rolled back)")]


def _servers(source: Server, target: Server, *, there: bool) -> Finding:
    database = "a database that is there" if there else "a database that the move creates"
    return notes("servers", f"from PostgreSQL {source.major} to {target.major}, into {database}")


_NOT_TRIED = notes("schema", "not tried, because the target database does not exist", "create it to have it tried")
