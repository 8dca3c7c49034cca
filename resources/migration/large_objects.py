"""Large objects, which belong to no table: carried by pg_dump with their numbers, owners and grants."""

from pathlib import Path

from resources.errors import TerminalError
from resources.migration.servers import Server, Session
from resources.migration.tools import Tools, run

_SUM = """
select count(*), coalesce(sum(hashtextextended(oid::text || encode(sha256(lo_get(oid)), 'hex'), 0)), 0)
from pg_largeobject_metadata
"""
BATCH = 1000
"""Each takes a lock until its transaction ends, and a server has room for a few thousand."""


def move(tools: Tools, source: tuple[Server, Session], target: tuple[Server, Session], folder: Path) -> int:
    """Make the target's large objects those of the source's snapshot; return how many there are.

    `source` and `target` are a server and a session on it, the source's inside of an exported snapshot.
    """
    wanted = summed(source[1])
    if summed(target[1]) == wanted:
        return wanted[0]
    snapshot = source[1].execute("select pg_export_snapshot()").fetchone()
    archive = folder / "large_objects.dump"
    options = ["--format=custom", "--section=data", "--exclude-table-data=*.*", f"--snapshot={(snapshot or [''])[0]}"]
    run(tools, "pg_dump", *options, "--file", str(archive), url=source[0].url, on=" to read large objects")
    _remove_all(target[1])
    chosen = folder / "large_objects.list"
    listed = run(tools, "pg_restore", "--list", str(archive)).splitlines()
    chosen.write_text("\n".join(line for line in listed if "SEQUENCE SET" not in line) + "\n")
    options = ["--exit-on-error", f"--transaction-size={BATCH}", f"--use-list={chosen}", str(archive)]
    run(tools, "pg_restore", *options, url=target[0].url, on=" to write large objects")
    if (found := summed(target[1])) != wanted:
        raise TerminalError(
            f"large objects differ: {wanted[0]:,} in the source, {found[0]:,} in the target, or their content; "
            "report this as an error of sonik"
        )
    return wanted[0]


def summed(session: Session) -> tuple[int, int]:
    """Return how many there are, and the sum of checksums of their numbers and contents."""
    count, total = session.execute(_SUM).fetchone() or (0, 0)
    return count, total


def _remove_all(target: Session) -> None:
    query = "select count(lo_unlink(oid)) from (select oid from pg_largeobject_metadata limit %s) as some_of_them"
    while (target.execute(query, (BATCH,)).fetchone() or (0,))[0]:
        pass
