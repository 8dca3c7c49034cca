"""How tables read at the widths people have."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.cli import show

LONG = "Umbral Sin Fronteras Con Mc Neón " * 4
ROW = {"date": "2026-11-27", "name": LONG, "text": LONG, "extra": LONG, "weight": 1 / 3}


@pytest.fixture(params=[80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def test_a_row_is_one_line(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    show.table("t", [ROW] * 3, empty="", first="name", spare={"extra"})
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if "Umbral" in line]
    assert len(rows) == 3
    assert max(map(len, lines)) <= width
    assert all("2026-11-27" in row and "0.333" in row and "…" in row for row in rows)
    assert ("extra" in "".join(lines)) == (width == 120)


def test_what_may_wrap_is_not_cut(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    show.table("t", [{"date": "2026-11-27", "text": LONG}], empty="", wrap={"text"})
    out = capsys.readouterr().out
    assert "…" not in out
    assert out.count("Umbral") == 4


def test_past_the_limit_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    show.table("t", [{"n": n} for n in range(1040)], empty="", limit=15, more="--limit")
    assert "... and 1,025 more: --limit" in capsys.readouterr().out
    show.table("t", [], empty="nothing here")
    assert capsys.readouterr().out == "nothing here\n"


def test_fractions_of_a_column_have_as_many_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[show.Row] = [
        {"weight": 1.0, "buyers": 18.0, "score": 0.030478},
        {"weight": 1 / 3, "buyers": None, "score": 1 / 3},
    ]
    show.table("t", rows, empty="")
    assert [line.split() for line in capsys.readouterr().out.splitlines()[-3:-1]] == [
        ["1.00", "18", "0.030"],
        ["0.33", "0.333"],
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("45000.0"), "COP", "45,000 COP"),
        (Decimal("7.5"), "USD", "7.50 USD"),
        (1200, None, "1,200"),
        (None, "USD", ""),
    ],
)
def test_money(amount: Decimal | None, currency: str | None, text: str) -> None:
    assert show.money(amount, currency) == text


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_money_loses_nothing(amount: Decimal) -> None:
    assert Decimal(show.money(amount, "COP").removesuffix(" COP").replace(",", "")) == amount
