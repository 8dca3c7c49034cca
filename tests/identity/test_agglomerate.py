"""Probable links under constraints: the surest first, never against what forbids, and whatever the order."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.agglomerate import SURE, Pair, Rules, Verdicts, agglomerate
from sonik_assets.identity.clusters import Clusters

LINK = 0.9
SIZE = 12


def rules(size: int, **given: object) -> Rules:
    plain = Rules(LINK, ("place",), [None] * size, [True] * size, 60)
    return replace(plain, **given)  # type: ignore[arg-type]


def joined(
    size: int,
    pairs: Sequence[Pair],
    *,
    apart: Sequence[tuple[int, int]] = (),
    places: Sequence[int] = (),
    **given: object,
) -> tuple[list[int], Verdicts]:
    """Return the cluster of each record, and the verdicts; records in `places` hold one each, all different."""
    clusters = Clusters.of(size, apart)
    for record in places:
        clusters.hold("place", [record])
    verdicts = agglomerate(clusters, pairs, rules(size, **given))
    return clusters.root, verdicts


def test_only_what_is_probable_enough_joins_and_the_rest_is_a_doubt() -> None:
    root, verdicts = joined(4, [(0, 1, LINK), (2, 3, 0.89)])
    assert root == [0, 0, 2, 3]
    assert verdicts.links == [(0, 1, LINK)]
    assert verdicts.doubts == [(2, 3, 0.89, "doubtful")]


def test_two_whom_a_person_keeps_apart_never_meet_through_others() -> None:
    root, verdicts = joined(3, [(0, 1, 0.99), (1, 2, 0.98)], apart=[(0, 2)])
    assert root == [0, 0, 2]
    assert verdicts == Verdicts([(0, 1, 0.99)], [])


def test_what_is_kept_apart_stays_so_once_its_cluster_has_grown() -> None:
    pairs = [(0, 1, 0.99), (2, 3, 0.99), (1, 3, 0.95), (0, 3, 0.95), (1, 2, 0.95)]
    assert joined(4, pairs, apart=[(0, 2)])[0] == [0, 0, 2, 2]


def test_two_places_never_meet_through_others_and_nobody_is_asked() -> None:
    root, verdicts = joined(3, [(0, 1, 0.99), (1, 2, 0.98)], places=[0, 2])
    assert root == [0, 0, 2]
    assert verdicts.doubts == []


def test_two_records_of_one_clean_source_wait_for_a_person() -> None:
    root, verdicts = joined(3, [(0, 1, 0.99), (1, 2, 0.98)], source=["directus", None, "directus"])
    assert root == [0, 0, 2]
    assert verdicts.doubts == [(1, 2, 0.98, "two records of one source")]


def test_the_source_counts_for_the_whole_cluster() -> None:
    source = ["directus", "scraper/ra", "directus", "scraper/ra"]
    root, verdicts = joined(4, [(0, 1, 0.99), (2, 3, 0.99), (1, 2, 0.98), (0, 3, 0.97)], source=source)
    assert root == [0, 0, 2, 2]
    assert [pair[3] for pair in verdicts.doubts] == ["two records of one source"]


def test_a_cluster_stops_growing_at_the_cap_which_counts_records_of_their_own() -> None:
    chain = [(n, n + 1, 0.9995) for n in range(4)]
    root, verdicts = joined(5, chain, cap=3)
    assert root == [0, 0, 0, 3, 3]
    assert verdicts.doubts == [(2, 3, 0.9995, "too many records")]
    assert set(joined(5, chain, cap=3, own=[True, False, True, False, True])[0]) == {0}


def test_a_single_link_between_two_groups_is_a_doubt_unless_it_is_sure() -> None:
    groups = [(0, 1, 0.99), (2, 3, 0.99)]
    root, verdicts = joined(4, [*groups, (1, 2, 0.95)])
    assert root == [0, 0, 2, 2]
    assert verdicts.doubts == [(1, 2, 0.95, "weak bridge")]
    assert set(joined(4, [*groups, (1, 2, SURE)])[0]) == {0}


def test_two_links_between_two_groups_hold() -> None:
    pairs = [(0, 1, 0.99), (2, 3, 0.99), (1, 2, 0.95), (0, 3, 0.94)]
    assert set(joined(4, pairs)[0]) == {0}


def test_a_record_alone_is_no_group() -> None:
    assert set(joined(3, [(0, 1, 0.99), (1, 2, 0.95)])[0]) == {0}


def test_records_that_are_one_already_are_one_end_of_a_bridge() -> None:
    clusters = Clusters.of(5)
    clusters.join([0, 1])
    pairs = [(0, 2, 0.99), (1, 3, 0.95), (3, 4, 0.99)]
    verdicts = agglomerate(clusters, pairs, rules(5))
    assert clusters.root == [0, 0, 0, 3, 3]
    assert verdicts.doubts == [(1, 3, 0.95, "weak bridge")]


def test_one_doubt_is_told_of_two_clusters() -> None:
    pairs = [(0, 1, 0.99), (0, 2, 0.6), (1, 2, 0.7), (1, 3, 0.5)]
    assert joined(4, pairs)[1].doubts == [(1, 2, 0.7, "doubtful"), (1, 3, 0.5, "doubtful")]


WORLDS = st.fixed_dictionaries(
    {
        "pairs": st.dictionaries(
            st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).filter(lambda pair: pair[0] < pair[1]),
            st.sampled_from([0.5, 0.89, 0.9, 0.95, 0.95, 0.99, 0.999, 1.0]),
            max_size=30,
        ).map(lambda found: [(*pair, probability) for pair, probability in found.items()]),
        "apart": st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)), max_size=4).map(
            lambda pairs: [(a, b) for a, b in pairs if a != b]
        ),
        "places": st.lists(st.integers(0, SIZE - 1), unique=True, max_size=4),
        "source": st.lists(st.sampled_from([None, None, "a", "b"]), min_size=SIZE, max_size=SIZE),
        "own": st.lists(st.booleans(), min_size=SIZE, max_size=SIZE),
        "cap": st.integers(2, 6),
    }
)


@settings(max_examples=300)
@given(WORLDS)
def test_no_cluster_holds_what_must_not_meet(world: dict[str, list[int]]) -> None:
    root, verdicts = joined(SIZE, world["pairs"], **{name: world[name] for name in world if name != "pairs"})  # type: ignore[arg-type]
    members = {cluster: [n for n in range(SIZE) if root[n] == cluster] for cluster in set(root)}
    assert all(root[a] != root[b] for a, b in world["apart"])
    for records in members.values():
        sources = [world["source"][n] for n in records if world["source"][n]]
        assert len(sources) == len(set(sources))
        assert len([n for n in records if n in world["places"]]) <= 1
        assert len(records) == 1 or sum(world["own"][n] for n in records) <= world["cap"]  # type: ignore[operator]
    assert all(root[a] == root[b] for a, b, _ in verdicts.links)
    assert all(root[a] != root[b] for a, b, _, _ in verdicts.doubts)
    asked = [tuple(sorted((root[a], root[b]))) for a, b, _, _ in verdicts.doubts]
    assert len(asked) == len(set(asked))
    assert {root[n] for n in range(SIZE)} == {min(records) for records in members.values()}


@settings(max_examples=300)
@given(WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(world: dict[str, list[Pair]], random: Random) -> None:
    given = {name: world[name] for name in world if name != "pairs"}
    shuffled = list(world["pairs"])
    random.shuffle(shuffled)
    straight, again = joined(SIZE, world["pairs"], **given), joined(SIZE, shuffled, **given)  # type: ignore[arg-type]
    assert straight == again


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [4, 2, 0, 1, 3, 5]])
def test_the_numbers_of_the_records_do_not_matter_where_no_two_pairs_are_as_probable(order: list[int]) -> None:
    pairs = [(0, 1, 0.99), (1, 2, 0.98), (2, 3, 0.97), (3, 4, 0.96), (0, 2, 0.95), (3, 5, 0.94)]
    moved = [(min(order[a], order[b]), max(order[a], order[b]), p) for a, b, p in pairs]
    places, apart = [0, 5], [(1, 4)]
    root, _ = joined(6, pairs, places=places, apart=apart)
    again, _ = joined(6, moved, places=[order[n] for n in places], apart=[(order[1], order[4])])
    straight = {frozenset(n for n in range(6) if root[n] == cluster) for cluster in set(root)}
    back = {frozenset(n for n in range(6) if again[order[n]] == cluster) for cluster in set(again)}
    assert straight == back
