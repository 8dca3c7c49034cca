"""Asks a server for its version: the shortest question that proves it works."""

from resources.errors import SonikError
from resources.stores import falkordb, postgres, redis

Answer = tuple[str | None, str | None]
"""(version, None), or (None, what went wrong in one line)."""


def postgres_version(url: str) -> Answer:
    """Return PostgreSQL's version."""
    try:
        with postgres.connect(url, timeout_seconds=5) as connection:
            number = connection.info.server_version
    except SonikError as error:
        return None, str(error)
    return f"{number // 10000}.{number % 10000}", None


def redis_version(url: str) -> Answer:
    """Return Redis's version."""
    try:
        with redis.connect(url) as client:
            return str(client.info("server")["redis_version"]), None
    except SonikError as error:
        return None, str(error)


def falkordb_version(url: str) -> Answer:
    """Return FalkorDB's version, or a problem when the server has no graph module."""
    try:
        with falkordb.connect(url) as client:
            modules = client.connection.module_list()
    except SonikError as error:
        return None, str(error)
    for module in modules:
        if module["name"] == "graph":
            number = int(module["ver"])
            return f"{number // 10000}.{number // 100 % 100}.{number % 100}", None
    return None, "this server has no graph module: point SONIK_FALKORDB_URL at a FalkorDB"
