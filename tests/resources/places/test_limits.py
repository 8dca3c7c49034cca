"""Limits from the environment, and the meter of one run."""

import pytest

from resources.errors import TerminalError
from resources.places import Limits, RunMeter


def test_what_is_unset_or_empty_is_the_default():
    assert Limits.from_env({"SONIK_PLACES_DAY_BUDGET": ""}) == Limits()


def test_limits_are_read():
    environment = {
        "SONIK_PLACES_RUN_BUDGET": "0",
        "SONIK_PLACES_DAY_BUDGET": "70",
        "SONIK_PLACES_PER_SECOND": "5",
    }
    assert Limits.from_env(environment) == Limits(0, 70, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SONIK_PLACES_RUN_BUDGET", "-1"),
        ("SONIK_PLACES_DAY_BUDGET", "many"),
        ("SONIK_PLACES_PER_SECOND", "0"),
        ("SONIK_PLACES_PER_SECOND", "0.5"),
    ],
)
def test_a_limit_that_is_none_is_named(name, value):
    with pytest.raises(TerminalError, match=f"{name} is '{value}'"):
        Limits.from_env({name: value})


def test_the_smaller_budget_holds():
    meter = RunMeter(Limits(run=5, day=2))
    assert [meter.spend() for _ in range(3)] == [True, True, False]


def test_an_answer_ends_a_row_of_failures():
    meter = RunMeter(Limits())
    for _ in range(2):
        meter.failed("slow")
    meter.answered()
    meter.failed("slow")
    assert meter.may_ask()
    meter.failed("slow")
    meter.failed("slow")
    assert not meter.may_ask()
