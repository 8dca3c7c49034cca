"""One circuit breaker a source, in PostgreSQL: every process sees it, and `sonik doctor` shows it.

After `THRESHOLD` failed extracts in a row the circuit opens: nobody asks the source for a while, then one may try.
Only failures that may pass count (TransientError); each round of them doubles the wait.
"""

from typing import Any

import psycopg

from resources.errors import TransientError

THRESHOLD = 3
FIRST_SECONDS = 60
LONGEST_SECONDS = 3600
TRIAL_SECONDS = 60

_TRY = """
update ops.circuits set open_until = now() + %s * interval '1 second'
where source = %s and open_until <= now()
returning failures
"""
_OPEN = """
select open_until, failures, reason from ops.circuits where source = %s and open_until > now()
"""
_FAILED = """
insert into ops.circuits as c (source, failures, reason) values (%(source)s, 1, %(reason)s)
on conflict (source) do update set
    failures = c.failures + 1, reason = excluded.reason, failed_at = now(),
    open_until = case
        when c.failures + 1 >= %(threshold)s
        then now() + least(%(longest)s, %(first)s * 2 ^ (c.failures + 1 - %(threshold)s)) * interval '1 second'
    end
"""


def guard(connection: psycopg.Connection, source: str) -> None:
    """Raise TransientError while the circuit is open. The first to come after that may try, alone. Commits."""
    trial = connection.execute(_TRY, [TRIAL_SECONDS, source]).fetchone()
    found = None if trial else connection.execute(_OPEN, [source]).fetchone()
    connection.commit()
    if found:
        raise OpenCircuitError(
            f"{source} is left alone until {found[0]:%Y-%m-%d %H:%M:%S} UTC after {found[1]} failures in a row "
            f"(the last: {found[2]}); `sonik doctor` shows it, `sonik circuit close {source}` ends it"
        )


def failed(connection: psycopg.Connection, source: str, reason: str) -> None:
    """Count a failure; the circuit opens at the threshold. Commits."""
    limits = {"threshold": THRESHOLD, "first": FIRST_SECONDS, "longest": LONGEST_SECONDS}
    connection.execute(_FAILED, {"source": source, "reason": reason[:500], **limits})
    connection.commit()


def close(connection: psycopg.Connection, source: str) -> bool:
    """Close the circuit: the source answered, or an operator says so. Commits; return whether it had failed before."""
    closed = connection.execute("delete from ops.circuits where source = %s", [source]).rowcount > 0
    connection.commit()
    return closed


def states(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Return source, failures, reason, failed_at, open_until (UTC; null while closed) of sources that failed last."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute("select * from ops.circuits order by source").fetchall()


class OpenCircuitError(TransientError):
    """The source was not even asked."""
