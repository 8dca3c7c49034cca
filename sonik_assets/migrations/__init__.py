"""What dbt cannot make: functions, append-only logs, partitioned tables. Numbered SQL files, each applied once.

A file is never changed after it has landed; a correction is a new file.
"""

from pathlib import Path

import psycopg

FOLDER = Path(__file__).parent


def migrate(connection: psycopg.Connection) -> list[str]:
    """Apply what is missing, in order; return the names. The caller commits."""
    # Two processes at once would both create: the lock is held to the end of the transaction.
    connection.execute("select pg_advisory_xact_lock(hashtext('sonik.migrations'))")
    connection.execute("create schema if not exists ops")
    connection.execute(
        "create table if not exists ops.migrations (name text primary key, applied_at timestamptz default now())"
    )
    done = {row[0] for row in connection.execute("select name from ops.migrations")}
    missing = [path for path in sorted(FOLDER.glob("*.sql")) if path.stem not in done]
    for path in missing:
        connection.execute(path.read_bytes())
        connection.execute("insert into ops.migrations (name) values (%s)", [path.stem])
    return [path.stem for path in missing]
