"""Literals survive the trip to the real server and back; what would be mangled is refused."""

import math

import pytest
from falkordb import FalkorDB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonik_assets.graph import cypher

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.none()
REALS = st.floats(-1e300, 1e300, allow_subnormal=False)  # it answers in 15 digits: the largest becomes inf
NAMES = st.text(st.characters(exclude_characters="\0`", exclude_categories=["Cs"]), min_size=1)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(value=VALUES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_survive_the_round_trip(falkordb: FalkorDB, value: object) -> None:
    graph = falkordb.select_graph("operations")
    assert graph.query(cypher.header({"value": cypher.literal(value)}) + "RETURN $value").result_set == [[value]]


@given(value=REALS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_survive_the_round_trip(falkordb: FalkorDB, value: float) -> None:
    graph = falkordb.select_graph("operations")
    ((back,),) = graph.query(cypher.header({"value": cypher.literal(value)}) + "RETURN $value").result_set
    assert math.isclose(back, value, rel_tol=1e-12)


@pytest.mark.parametrize("value", ["a\0b", 2**63, -(2**63) - 1, math.inf, math.nan, {"": 1}, {"a`b": 1}, object()])
def test_what_would_be_mangled_is_refused(value: object) -> None:
    with pytest.raises(cypher.Unencodable):
        cypher.literal([value])
