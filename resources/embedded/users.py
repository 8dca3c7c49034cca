"""The users of FalkorDB/Redis and what each may do: access rules that the server itself enforces.

Where their passwords come from is in `resources.embedded.secrets`; whether a server keeps to the rules is asked in
`resources.embedded.probes`.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import redis

User = Literal["sonik", "sonik_agent", "sonik_reader"]
OWNER: User = "sonik"
AGENT: User = "sonik_agent"
READER: User = "sonik_reader"
LIMITED: tuple[User, ...] = (AGENT, READER)

READ = "+graph.ro_query"
WRITE = "+graph.query"
# What clients send when they connect: falkordb-py asks INFO which kind of server this is.
CONNECT = ("resetchannels", "-@all", "+ping", "+info", "+client|setinfo", "+client|setname")
# Each pair of brackets is a selector: its commands hold for its keys only. `%R~` cannot be used instead, because
# the module declares the graph of every command, GRAPH.RO_QUERY included, as written.
RULES: Mapping[User, tuple[str, ...]] = {
    OWNER: ("~*", "&*", "+@all"),
    AGENT: (*CONNECT, f"(~agent_memory {WRITE} {READ})", f"(~operations ~knowledge {READ})"),
    READER: (*CONNECT, f"(~operations ~knowledge ~agent_memory {READ})"),
}


def access_file(passwords: Mapping[User, str]) -> str:
    """Return the text of Redis's `aclfile`: these users, and the default one off. Passwords are hashed (SHA-256)."""
    lines = ["user default reset off"]
    lines += [" ".join(("user", user, *_definition(user, password))) for user, password in passwords.items()]
    return "\n".join(lines) + "\n"


def apply(client: "redis.Redis", passwords: Mapping[User, str]) -> None:
    """Make these users on a running server, or make them what they should be; nobody is disconnected.

    Raises redis.exceptions.NoPermissionError where the client's login may not.
    """
    for user, password in passwords.items():
        client.execute_command("ACL SETUSER", user, *_definition(user, password))  # type: ignore[no-untyped-call]


def by_hand(user: User) -> str:
    """Return the command that makes the user, for an administrator to type in redis-cli."""
    rules = [f"'{rule}'" if rule[0] in "(~&" else rule for rule in RULES[user]]
    return " ".join(("ACL SETUSER", user, "reset on '>PASSWORD'", *rules))


def _definition(user: User, password: str) -> tuple[str, ...]:
    return ("reset", "on", f"#{hashlib.sha256(password.encode()).hexdigest()}", *RULES[user])
