"""Rank and groups as arrays: what they are by definition, and what they say of small worlds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.graph import cypher
from sonik_assets.serving.graph import query
from sonik_assets.serving.scope import Staff
from sonik_assets.serving.spread import _generations
from sonik_assets.serving.whole_graph import CLOSE, DAMPING, dense, pagerank, propagate
from tests.support.scene import Scene

Edges = list[tuple[int, int, float]]
EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0.01, 1)), min_size=1, max_size=30)
DAY = 86_400_000


@given(EDGES)
def test_rank_is_where_a_random_walk_is_found(edges: Edges) -> None:
    start, end, weight = (np.asarray(each) for each in zip(*edges, strict=True))
    rank = pagerank(start, end, weight, 10)
    step = np.zeros((10, 10))
    np.add.at(step, (start, end), weight)
    enters = step.sum(axis=1) / step.sum()
    for node in range(10):
        step[node] = step[node] / step[node].sum() if step[node].sum() > 0 else enters
    exact = np.linalg.solve(np.eye(10) - DAMPING * step.T, (1 - DAMPING) * enters)
    assert rank.sum() == pytest.approx(1)
    assert rank == pytest.approx(exact, abs=max(CLOSE * 10, DAMPING**50))


@given(EDGES)
def test_groups_never_join_what_no_edge_joins(edges: Edges) -> None:
    start, end, weight = (np.asarray(each) for each in zip(*edges, strict=True))
    apart = np.concatenate([start, start + 10]), np.concatenate([end, end + 10])
    labels = propagate(*apart, np.concatenate([weight, weight]), 20)
    assert set(labels[:10]).isdisjoint(labels[10:])
    assert (labels[:10] == labels[10:] - 10).all()


def test_groups_are_who_bring_each_other() -> None:
    ring = [(a, b) for side in (0, 4) for a in range(side, side + 4) for b in range(a + 1, side + 4)]
    start, end = (np.asarray(each) for each in zip(*ring, (3, 4), strict=True))
    labels = propagate(start, end, np.asarray([1.0] * len(ring) + [0.1]), 8)
    assert len(set(labels[:4])) == len(set(labels[4:])) == 1
    assert labels[0] != labels[4]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1))
def test_places_lead_back_to_numbers(pairs: list[tuple[int, int]]) -> None:
    who, whom = (np.asarray(each) for each in zip(*pairs, strict=True))
    nodes, starts, ends = dense(who, whom)
    assert (nodes[starts] == who).all()
    assert (nodes[ends] == whom).all()
    assert list(nodes) == sorted({*who.tolist(), *whom.tolist()})


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9))))
def test_everybody_is_of_one_generation(brought: dict[int, set[int]]) -> None:
    generations = _generations(list(range(10)), brought)
    assert sorted(person for each in generations for person in each) == list(range(10))
    for before, after in pairwise(generations):
        assert all(any(person in brought.get(one, set()) for one in before) for person in after)


def test_who_brought_long_ago_counts_less(scene: Scene) -> None:
    graph = scene.client.select_graph("operations")
    one, other = (f"zz{number}" for number in (1, 2))
    make = (
        "CREATE (a:Person {id: $a, name: 'Old'})-[:REFERRED {weight: 0.9, timestamp: 0}]->(:Person {id: 'zz3'}), "
        "(b:Person {id: $b, name: 'New'})-[:REFERRED {weight: 0.6, timestamp: $now}]->(:Person {id: 'zz4'})"
    )
    cypher.write(graph, make, a=cypher.literal(one), b=cypher.literal(other), now=str(100 * DAY))
    try:

        def ranked(**given: str) -> list[str]:
            rows = query(scene.pg, scene.client, "influencers", given, Staff(), now_ms=100 * DAY).rows
            return [row["person"] for row in rows if row["person"] in ("Old", "New")]

        assert ranked() == ["Old", "New"]
        assert ranked(half_life_days="100") == ["New", "Old"]
    finally:
        cypher.write(graph, "MATCH (n) WHERE n.id STARTS WITH 'zz' DELETE n")
