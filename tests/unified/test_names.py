"""Ids made of names (docs/adr/0007): the database and Python make the same, whatever the name."""

import hashlib
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from sonik_assets.raw import schema
from tests.support.claims import Claimed

_TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=_TEXTS)
@example(names=["", "\\", r"\x41", r"\101", "ñandú/😀"])
def test_an_id_is_sha256_of_the_name_with_version_5(claimed: Claimed, names: list[str]) -> None:
    made = claimed.connection.execute("select ops.name_uuid(name) from unnest(%s::text[]) as name", [names]).fetchall()
    expected = [UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=5) for name in names]
    assert [each[0] for each in made] == expected


def test_a_database_of_another_encoding_is_refused(endpoints: Endpoints) -> None:
    with psycopg.connect(endpoints.postgres, autocommit=True) as server:
        server.execute("create database test_latin1 template template0 encoding 'LATIN1' locale 'C'")
        try:
            refused = pytest.raises(psycopg.errors.RaiseException, match=r"encoded in LATIN1.*encoding 'UTF8'")
            with refused, psycopg.connect(with_database(endpoints.postgres, "test_latin1")) as connection:
                schema.ensure(connection)
        finally:
            server.execute("drop database test_latin1 with (force)")
