"""The matchers in use, in PostgreSQL: trained once, never changed, adopted by a person or by the first run. SQL.

What a matcher is: `matching/`. A new one is tried with `sonik identity diff` before it is adopted.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from sonik_assets.identity.candidates import Matchers
from sonik_assets.identity.memory import select
from sonik_assets.identity.profiles import PROFILES, unpack

if TYPE_CHECKING:
    from sonik_assets.identity.matching.model import Matcher

_IN_USE = """
select distinct on (kind) kind, version from identity.matchers
where adopted_at is not null order by kind, adopted_at desc, version
"""


def versions(connection: psycopg.Connection) -> dict[str, str]:
    """Return entity type -> version of the matcher in use."""
    return dict(connection.execute(_IN_USE).fetchall())


def in_use(connection: psycopg.Connection, kinds: Sequence[str]) -> Matchers:
    """Return the matchers in use of these types."""
    return {kind: load(connection, version) for kind, version in versions(connection).items() if kind in kinds}


def load(connection: psycopg.Connection, version: str) -> "Matcher":
    """Return a matcher by its version. Raises TerminalError where there is none."""
    row = connection.execute("select payload from identity.matchers where version = %s", [version]).fetchone()
    if row is None:
        raise TerminalError(f"there is no matcher {version}: `sonik identity matchers` lists them")
    return _loaded(bytes(row[0]))


def ensured(connection: psycopg.Connection, kinds: Sequence[str], profiles: pl.DataFrame) -> Matchers:
    """Return the matchers in use; a type that has none gets one trained on the profiles at hand (PROFILES).

    Where they are too few to learn from it is the one that the package carries.
    """
    from sonik_assets.identity.matching.model import train

    known = versions(connection)
    for kind in kinds:
        own = profiles.filter((pl.col("entity_type") == kind) & ~pl.col("embedded"))
        if kind not in known and own.height:
            matcher = train(unpack(own.sort("key")), kind)
            keep(connection, matcher)
            adopt(connection, matcher.version)
    return in_use(connection, kinds)


def retire_unusable(connection: psycopg.Connection) -> list[str]:
    """Put out of use the matchers that this version of the code cannot score with; return their versions.

    Their types are trained anew by the next run, which reads everything.
    """
    found = connection.execute("select version from identity.matchers where adopted_at is not null").fetchall()
    unusable = [version for (version,) in found if not _usable(connection, version)]
    connection.execute("update identity.matchers set adopted_at = null where version = any(%s)", [unusable])
    return unusable


def _usable(connection: psycopg.Connection, version: str) -> bool:
    try:
        load(connection, version)
    except TerminalError:
        return False
    return True


def trained(connection: psycopg.Connection, kind: str) -> "Matcher":
    """Train a matcher on all records of a type that resolution remembers, and keep it; it is not in use yet."""
    from sonik_assets.identity.matching.model import train

    where = sql.SQL("t.entity_type = {} and not t.embedded").format(sql.Literal(kind))
    matcher = train(unpack(select(connection, "profiles", PROFILES, where).sort("key")), kind)
    keep(connection, matcher)
    return matcher


def keep(connection: psycopg.Connection, matcher: "Matcher") -> None:
    """Store a matcher under its version, which its content gives: the same one twice is one."""
    connection.execute(
        "insert into identity.matchers (version, kind, payload) values (%s, %s, %s) on conflict do nothing",
        [matcher.version, matcher.kind, matcher.payload()],
    )


def adopt(connection: psycopg.Connection, version: str) -> None:
    """Put a matcher to use: the next run scores everything anew. Raises TerminalError where there is none."""
    changed = connection.execute(
        "update identity.matchers set adopted_at = clock_timestamp() where version = %s", [version]
    )
    if not changed.rowcount:
        raise TerminalError(f"there is no matcher {version}: `sonik identity matchers` lists them")


@lru_cache(maxsize=16)
def _loaded(payload: bytes) -> "Matcher":
    from sonik_assets.identity.matching.model import Matcher

    return Matcher.load(payload)
