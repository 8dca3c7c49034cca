"""What Google may still be asked, remembered in PostgreSQL: the day's spending, and the circuit breaker of sources.

Needs a connection of its own in autocommit: what is spent stays spent, whatever becomes of the run's transaction.
"""

import psycopg

from resources.places import Limits
from sonik_assets.raw import circuit

SOURCE = "google_places"
"""The name of the circuit: `sonik doctor` shows it, `sonik circuit close google_places` closes it."""

_TABLE = """
create schema if not exists identity;
create table if not exists identity.places_spending (
    day date primary key, -- UTC
    requests integer not null
);
"""
_SPEND = """
insert into identity.places_spending as s (day, requests) values ((now() at time zone 'UTC')::date, 1)
on conflict (day) do update set requests = s.requests + 1 where s.requests < %s
returning requests
"""


class PostgresMeter:
    """A `Meter` (resources.places) whose day and circuit every process shares; the run's budget is this object's."""

    def __init__(self, connection: psycopg.Connection, limits: Limits) -> None:
        """Make the table where it is missing. The migrations must have run: the circuit's table is theirs."""
        connection.execute(_TABLE)
        self._connection, self._limits = connection, limits
        self._spent = 0
        self._troubled = True  # an earlier process may have failed

    def may_ask(self) -> bool:
        """Tell whether the circuit is closed, or this is the request that tries it."""
        try:
            circuit.guard(self._connection, SOURCE)
        except circuit.OpenCircuitError:
            return False
        return True

    def spend(self) -> bool:
        """Count one request; tell whether the run's and the day's budget had one left."""
        if self._spent >= self._limits.run or self._limits.day <= 0:
            return False
        if self._connection.execute(_SPEND, [self._limits.day]).fetchone() is None:
            return False
        self._spent += 1
        return True

    def answered(self) -> None:
        """Close the circuit."""
        if self._troubled:
            circuit.close(self._connection, SOURCE)
            self._troubled = False

    def failed(self, reason: str) -> None:
        """Count a failure; the circuit opens after some in a row."""
        circuit.failed(self._connection, SOURCE, reason)
        self._troubled = True
