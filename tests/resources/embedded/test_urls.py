"""URLs keep pointing at the same server, whatever is changed about them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from resources.embedded import urls

FOLDERS = st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1).map(
    lambda name: Path("/tmp") / name  # noqa: S108
)


@given(FOLDERS)
def test_libpq_and_sqlalchemy_read_the_socket_folder_back(folder: Path) -> None:
    url = urls.for_postgres_socket(folder, "sonik")
    assert conninfo_to_dict(url) == {"user": "postgres", "dbname": "sonik", "host": str(folder)}
    assert make_url(urls.for_sqlalchemy(url)).query["host"] == str(folder)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5433/a?sslmode=require", "postgresql://u:p@h:5433/b?sslmode=require"),
        ("postgresql:///a?host=/run", "postgresql:///b?host=/run"),
        ("postgresql://h", "postgresql://h/b"),
    ],
)
def test_with_database_changes_nothing_else(url: str, expected: str) -> None:
    assert urls.with_database(url, "b") == expected


def test_sqlalchemy_and_libpq_forms_are_inverse() -> None:
    url = "postgresql://u@h/a?host=/run"
    assert urls.for_libpq(urls.for_sqlalchemy(url)) == url


@given(st.text("abcdefg0123456789%", min_size=1))
def test_redacted_hides_the_password(password: str) -> None:
    shown = urls.redacted(f"postgresql://ulysses:{password}@host.test:1/x?password={password}&sslmode=require")
    assert shown == "postgresql://ulysses:***@host.test:1/x?password=***&sslmode=require"


def test_redacted_keeps_what_has_no_password() -> None:
    assert urls.redacted("unix:///a/redis.sock") == "unix:///a/redis.sock"
    assert urls.redacted("postgresql://postgres@/sonik?host=/run") == "postgresql://postgres@/sonik?host=/run"
    assert urls.redacted("redis://:secret@h:6379/0") == "redis://:***@h:6379/0"
