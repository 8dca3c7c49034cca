"""For whom something is read: staff, an agent or one organization. PostgreSQL enforces it (docs/access.md).

Every read on somebody's behalf goes through `scoped`. Who may see which rows is in migration 0008, not here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from resources.errors import TerminalError

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Staff:
    """Sees everything."""

    def __str__(self) -> str:
        return "staff"


@dataclass(frozen=True)
class Agent:
    """Works for staff, and sees nobody's name, address or number."""

    def __str__(self) -> str:
        return "agent"


@dataclass(frozen=True)
class Organizer:
    """Sees what is the organization's own, and what is public. `organization`: its entity id, as it is today."""

    organization: UUID

    def __post_init__(self) -> None:
        # A text could be anything; none at all must never mean everybody.
        if not isinstance(self.organization, UUID):
            raise TerminalError(f"{self.organization!r} is no organization: give its uuid")

    def __str__(self) -> str:
        return str(self.organization)


# There is no scope that holds where none was given: every reader takes one, and none has a default.
type Scope = Staff | Agent | Organizer

ROLES: dict[type[Scope], str] = {Staff: "sonik_staff", Agent: "sonik_agent", Organizer: "sonik_organizer"}
_ENTER = """
select set_config('role', %s, true), set_config('app.current_organization', %s, true),
    set_config('transaction_read_only', %s, true)
"""


def parse(text: str) -> Scope:
    """Return the scope that `staff`, `agent` or an organization's uuid names; raises TerminalError for all else."""
    if text in ("staff", "agent"):
        return Staff() if text == "staff" else Agent()
    try:
        return Organizer(UUID(text))
    except ValueError:
        raise TerminalError(f"{text!r} is no scope: give staff, agent or an organization's uuid") from None


@contextmanager
def scoped(pg: "Connection[Any]", scope: Scope) -> "Iterator[Connection[Any]]":
    """Open a transaction that reads as `scope`; the connection is as before when it ends, however it ends.

    All three settings are of the transaction, so a pool in transaction mode hands nothing on. Only staff may write.
    Raises TerminalError inside of a transaction (a scope is never within another), and where the login may not act as
    the role.
    """
    from psycopg import errors
    from psycopg.pq import TransactionStatus

    role = ROLES.get(type(scope))
    if role is None:
        raise TerminalError(f"{scope!r} is no scope: give Staff(), Agent() or Organizer(uuid)")
    if pg.info.transaction_status != TransactionStatus.IDLE:
        raise TerminalError(f"cannot read as {scope} inside of a transaction: end that first")
    organization = str(scope) if isinstance(scope, Organizer) else ""
    with pg.transaction():
        try:
            pg.execute(_ENTER, [role, organization, "off" if isinstance(scope, Staff) else "on"])
        except (errors.InsufficientPrivilege, errors.InvalidParameterValue) as error:
            raise TerminalError(f"cannot read as {scope}: {error.diag.message_primary}; {_ADVICE}") from error
        yield pg


_ADVICE = "apply the migrations and grant the role to this login (docs/access.md)"
