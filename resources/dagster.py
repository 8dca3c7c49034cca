"""The one Dagster resource: opens each store from the settings. Assets take it as `stores`.

It holds no connection between steps: dagster runs steps in processes of their own.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from resources.settings import Settings

if TYPE_CHECKING:
    import falkordb
    import psycopg
    import redis

    from resources.embedded import Endpoints


# Every version is pinned: what is still beta in it does not change under us.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


class Stores(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Connections to the stores that the settings name. Never starts a server: `sonik up` does."""

    def settings(self) -> Settings:
        """Return the settings of this process's environment."""
        return Settings.from_env()

    def endpoints(self) -> "Endpoints":
        """Return where the servers are; raises TransientError where one is not running."""
        from resources import embedded

        return embedded.endpoints(self.settings())

    @contextmanager
    def postgres(self) -> Iterator["psycopg.Connection"]:
        """Open a connection to the database `sonik`: commits at the end, rolls back on an error."""
        from resources.stores import postgres

        with postgres.connect(self.endpoints().postgres) as connection:
            yield connection

    def falkordb(self) -> "falkordb.FalkorDB":
        """Return a FalkorDB client."""
        from resources.stores import falkordb

        return falkordb.connect(self.endpoints().falkordb)

    def redis(self) -> "redis.Redis":
        """Return a Redis client."""
        from resources.stores import redis

        return redis.connect(self.endpoints().redis)
