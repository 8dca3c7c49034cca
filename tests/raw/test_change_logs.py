"""A change log through the whole extract, on a real PostgreSQL: the rows end as the source is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from resources.settings import Settings
from resources.sources.catalogue import table
from sonik_assets.raw import schema
from sonik_assets.raw.extract import extract
from tests.sources.test_debezium import histories
from tests.support.exports import write

VENUES = table("directus.venues")
LOG = "debezium/sonik.public.venues.1.ndjson"


def test_any_history_in_any_order_read_in_parts_and_twice_ends_as_the_source_is(
    settings: Settings, database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database) as connection:
        schema.ensure(connection)
        connection.commit()
        here = replace(settings, exports=tmp_path / "exports", lake_uri=str(tmp_path / "lake"))

        @hypothesis.settings(max_examples=30, suppress_health_check=list(HealthCheck))
        @given(history=histories(), random=st.randoms(), parts=st.integers(0, 12))
        def check(history: tuple[list[dict[str, Any]], dict[str, dict[str, Any]]], random: Any, parts: int) -> None:
            log, held = history
            connection.execute("truncate raw_directus.venues")
            for known in (log[:parts], log, log):
                write(here.exports, LOG, *random.sample(known, len(known)))
                extract(here, connection, VENUES, (None, None), "run")
            live = "select record_id, payload from raw_directus.venues where deleted_at is null"
            assert dict(connection.execute(live).fetchall()) == held

        check()
