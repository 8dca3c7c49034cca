"""Starts, finds and stops the embedded PostgreSQL and FalkorDB/Redis under SONIK_HOME.

Stages ask `endpoints()` where a server is and never learn whether it is embedded or given by URL.
Clients are in `resources.stores`; how people see all this is in `sonik_assets.cli.servers`.
"""

from resources.embedded.servers import (
    Endpoints,
    ServerStatus,
    delete,
    down,
    endpoints,
    falkordb_url_for,
    isolation,
    status,
    up,
)

__all__ = [
    "Endpoints",
    "ServerStatus",
    "delete",
    "down",
    "endpoints",
    "falkordb_url_for",
    "isolation",
    "status",
    "up",
]
