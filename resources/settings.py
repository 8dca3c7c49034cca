"""Settings, read from the environment once and passed on. Names are listed in `.env.example`.

An empty variable counts as unset. A server whose URL is unset is embedded under `SONIK_HOME`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: sonik is always installed editable from it."""


LIVE = ("DIRECTUS_URL", "TWENTY_URL", "MONGO_URL", "SONIK_LANDING_URI", "SONIK_KAFKA_SERVERS")
"""Variables that name a live source."""


@dataclass(frozen=True)
class Settings:
    """Where everything is. Paths are absolute; URLs are None where the server is embedded."""

    home: Path
    exports: Path
    code_root: Path
    # What may hold a password is not shown where settings are printed.
    postgres_url: str | None = field(default=None, repr=False)
    dagster_postgres_url: str | None = field(default=None, repr=False)
    falkordb_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    falkordb_password: str | None = field(default=None, repr=False)
    falkordb_agent_password: str | None = field(default=None, repr=False)
    falkordb_reader_password: str | None = field(default=None, repr=False)
    lancedb_uri: str = ""
    lake_uri: str = ""
    embedder: str = "minilm"
    embedder_model: str | None = None
    embedder_url: str | None = None
    embedder_key: str | None = field(default=None, repr=False)
    directus_url: str | None = None
    directus_token: str | None = field(default=None, repr=False)
    twenty_url: str | None = None
    twenty_api_key: str | None = field(default=None, repr=False)
    twenty_webhook_secret: str | None = field(default=None, repr=False)
    mongo_url: str | None = field(default=None, repr=False)
    mongo_database: str | None = None
    landing_uri: str | None = None
    kafka_servers: str | None = None

    @property
    def any_live(self) -> bool:
        """Whether any source is read from its own system."""
        return bool(self.directus_url or self.twenty_url or self.mongo_url or self.landing_uri or self.kafka_servers)

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> "Settings":
        """Build the settings from environment variables; relative paths start at the checkout."""
        home = _path(env.get("SONIK_HOME") or ".sonik")
        # The sample must not mix with what is real.
        live = any(env.get(name) for name in LIVE)
        return Settings(
            home=home,
            exports=_path(env.get("SONIK_EXPORTS") or (str(home / "exports") if live else "sample_data")),
            code_root=_path(env.get("SONIK_CODE_ROOT") or "."),
            postgres_url=env.get("SONIK_POSTGRES_URL") or None,
            dagster_postgres_url=env.get("SONIK_DAGSTER_POSTGRES_URL") or None,
            falkordb_url=env.get("SONIK_FALKORDB_URL") or None,
            redis_url=env.get("SONIK_REDIS_URL") or None,
            falkordb_password=env.get("SONIK_FALKORDB_PASSWORD") or None,
            falkordb_agent_password=env.get("SONIK_FALKORDB_AGENT_PASSWORD") or None,
            falkordb_reader_password=env.get("SONIK_FALKORDB_READER_PASSWORD") or None,
            lancedb_uri=env.get("SONIK_LANCEDB_URI") or str(home / "lancedb"),
            lake_uri=env.get("SONIK_LAKE_URI") or str(home / "lake"),
            embedder=env.get("SONIK_EMBEDDER") or "minilm",
            embedder_model=env.get("SONIK_EMBEDDER_MODEL") or None,
            embedder_url=env.get("SONIK_EMBEDDER_URL") or None,
            embedder_key=env.get("SONIK_EMBEDDER_KEY") or None,
            directus_url=env.get("DIRECTUS_URL") or None,
            directus_token=env.get("DIRECTUS_TOKEN") or None,
            twenty_url=env.get("TWENTY_URL") or None,
            twenty_api_key=env.get("TWENTY_API_KEY") or None,
            twenty_webhook_secret=env.get("TWENTY_WEBHOOK_SECRET") or None,
            mongo_url=env.get("MONGO_URL") or None,
            mongo_database=env.get("MONGO_DATABASE") or None,
            landing_uri=env.get("SONIK_LANDING_URI") or None,
            kafka_servers=env.get("SONIK_KAFKA_SERVERS") or None,
        )


def _path(text: str) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else ROOT / path
