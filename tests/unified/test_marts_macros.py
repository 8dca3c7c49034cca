"""Macros of the marts that make SQL expressions: links, countries, rates. They need PostgreSQL, and no tables."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import embedded
from tests.support.dbt_sql import macro

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def pg(endpoints: embedded.Endpoints) -> Iterator[Connection]:
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        yield connection


def ask(pg: Connection, name: str, **given: tuple[str, object]) -> Any:
    """Return what a macro makes of columns: name -> (type, value)."""
    columns = ", ".join(f"%s::{type} as {column}" for column, (type, _) in given.items())
    sql = f"select {macro(name, *given)} from (select {columns}) as given"
    (found,) = pg.execute(sql, [value for _, value in given.values()]).fetchone() or ("no row",)
    return found


LINKS = {
    None: None,
    "": "",
    "https://t.example/e/1": "https://t.example/e/1?utm_source=sonik&utm_medium=referral",
    "https://t.example": "https://t.example?utm_source=sonik&utm_medium=referral",
    "https://t.example/e?id=1": "https://t.example/e?id=1&utm_source=sonik&utm_medium=referral",
    "https://t.example/e?id=1&": "https://t.example/e?id=1&utm_source=sonik&utm_medium=referral",
    "https://t.example/e?": "https://t.example/e?utm_source=sonik&utm_medium=referral",
    "https://t.example/e#vip": "https://t.example/e?utm_source=sonik&utm_medium=referral#vip",
    "https://t.example/#/e?id=1": "https://t.example/?utm_source=sonik&utm_medium=referral#/e?id=1",
    "https://t.example/e?id=1#a#b": "https://t.example/e?id=1&utm_source=sonik&utm_medium=referral#a#b",
    "https://t.example/e?x=%C3%B1&y=a+b": "https://t.example/e?x=%C3%B1&y=a+b&utm_source=sonik&utm_medium=referral",
    # it says already where visitors come from
    "https://t.example/e?utm_source=luna": "https://t.example/e?utm_source=luna",
    "https://t.example/e?a=1&UTM_Source=luna&": "https://t.example/e?a=1&UTM_Source=luna&",
    # no parameter: a path, a value, a fragment
    "https://t.example/utm_source=x": "https://t.example/utm_source=x?utm_source=sonik&utm_medium=referral",
    "https://t.example/?my_utm_source=x": "https://t.example/?my_utm_source=x&utm_source=sonik&utm_medium=referral",
    "https://t.example/#?utm_source=x": "https://t.example/?utm_source=sonik&utm_medium=referral#?utm_source=x",
    # a seller with a parameter of its own
    "https://www.eventbrite.com.mx/e/1": "https://www.eventbrite.com.mx/e/1?utm_source=sonik&utm_medium=referral&aff=sonik",
    "HTTPS://Eventbrite.com/e/1?aff=luna": "HTTPS://Eventbrite.com/e/1?aff=luna&utm_source=sonik&utm_medium=referral",
    "https://t.example/eventbrite.com": "https://t.example/eventbrite.com?utm_source=sonik&utm_medium=referral",
    "https://noteventbrite.com/": "https://noteventbrite.com/?utm_source=sonik&utm_medium=referral",
    # no pages
    "tel:+52155": "tel:+52155",
    "mailto:a@b.example": "mailto:a@b.example",
    "en taquilla": "en taquilla",
}


@pytest.mark.parametrize(("url", "expected"), LINKS.items())
def test_links_tell_who_sent_the_visitor(pg: Connection, url: str | None, expected: str | None) -> None:
    found = ask(pg, "attributed_link", url=("text", url))
    assert found == expected
    assert ask(pg, "attributed_link", url=("text", found)) == expected


COUNTRIES = {"MX": "MX", "co": "CO", "México": "MX", " brasil ": "BR", "Perú": "PE", "Atlantis": None, "": None}


@pytest.mark.parametrize(("written", "code"), COUNTRIES.items())
def test_countries_have_one_code(pg: Connection, written: str, code: str | None) -> None:
    assert ask(pg, "country_code", written=("text", written)) == code


@given(successes=st.integers(0, 500), trials=st.integers(0, 500))
def test_a_rate_is_never_told_too_high(pg: Connection, successes: int, trials: int) -> None:
    found = ask(pg, "wilson_lower", s=("bigint", successes), n=("bigint", trials))
    if not trials:
        assert found is None
        return
    rate = min(successes, trials) / trials
    assert -1e-9 <= found <= rate + 1e-9
    # The bound is the rate at which what was seen is 1.96 standard errors too good (Wilson 1927).
    assert rate - found == pytest.approx(1.959964 * abs(found * (1 - found) / trials) ** 0.5, abs=1e-6)
