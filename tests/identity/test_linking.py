"""Clusters and ids: what holds for any input, in any order."""

from collections import defaultdict
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.agreement import agree
from sonik_assets.identity.clusters import Clusters
from sonik_assets.identity.entity_ids import Past, assign
from sonik_assets.identity.likeness import Likeness, kilometres

SCHEMES = ("place", "domain", "handle")
RECORDS = st.lists(
    st.tuples(*[st.none() | st.integers(0, 4)] * 3, st.sampled_from(["bar", "club", "teatro", "kiosk"])), max_size=14
)


def clustered(records, apart=()):
    """Link named records, each with a value or none a scheme; return clusters as sets of positions."""
    holders = defaultdict(lambda: defaultdict(list))
    for row, record in enumerate(records):
        for scheme, value in zip(SCHEMES, record[:3], strict=True):
            if value is not None:
                holders[scheme][str(value)].append(row)
    likeness = Likeness([record[3] for record in records], [None] * len(records))
    found = Clusters.of(len(records), apart)
    weak = agree(
        found,
        {scheme: [item for item in values.items() if len(item[1]) > 1] for scheme, values in holders.items()},
        {scheme: [rows[0] for rows in values.values() if len(rows) == 1] for scheme, values in holders.items()},
        SCHEMES,
        SCHEMES,
        lambda scheme, _, groups: scheme != "place" and likeness.is_shared(scheme, groups),
    )
    found.settle()
    clusters = defaultdict(set)
    for row, root in enumerate(found.root):
        clusters[root].add(row)
    return list(clusters.values()), weak


@given(RECORDS, st.sets(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=5))
@settings(max_examples=300)
def test_what_people_keep_apart_never_meets(records, pairs):
    apart = [(a, b) for a, b in pairs if a != b and max(a, b) < len(records)]
    clusters, _ = clustered(records, apart)
    assert not any({a, b} <= cluster for a, b in apart for cluster in clusters)


@given(RECORDS, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_order_does_not_matter(records, random):
    order = list(range(len(records)))
    random.shuffle(order)
    straight, weak = clustered(records)
    shuffled, weak_too = clustered([records[n] for n in order])
    assert weak == weak_too
    assert {frozenset(c) for c in straight} == {frozenset(order[n] for n in c) for c in shuffled}


@given(RECORDS)
@settings(max_examples=300)
def test_no_cluster_has_two_places_and_no_strong_value_two_clusters(records):
    clusters, weak = clustered(records)
    for cluster in clusters:
        assert len({records[n][0] for n in cluster} - {None}) <= 1
    for position, scheme in enumerate(SCHEMES):
        for value in range(5):
            holders = [c for c in clusters if any(records[n][position] == value for n in c)]
            assert len(holders) <= 1 or (scheme, str(value)) in weak


def test_differently_named_records_share_a_value():
    assert clustered([(None, None, 1, name) for name in ("bar", "club", "teatro")])[1] == {("handle", "1")}
    assert len(clustered([(None, None, 1, name) for name in ("bar", "club")])[0]) == 1
    assert len(clustered([(1, None, 1, name) for name in ("bar", "club", "teatro")])[0]) == 1


def test_venues_far_apart_share_a_value():
    here, near, far = (19.42, -99.16), (19.421, -99.161), (19.60, -99.16)
    likeness = Likeness(["bar", "bar", "bar"], [here, near, far])
    assert not likeness.is_shared("instagram_url", [[0], [1]])
    assert likeness.is_shared("instagram_url", [[0], [1], [2]])
    assert not likeness.is_shared("google_places_id", [[0], [2]])
    assert 19.9 < kilometres(here, far) < 20.1


PARTITIONS = st.lists(
    st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 4), max_size=10), min_size=1, max_size=6
)


def mint_from(numbers):
    return lambda n: [f"{next(numbers):08d}" for _ in range(n)]


@given(PARTITIONS)
@settings(max_examples=300)
def test_ids_are_never_lost(history):
    """Each step groups live records; a record that is missing has been deleted and may come back."""
    mint = mint_from(count(1))
    previous, live, redirects, ever, tombstoned = {}, set(), {}, set(), set()
    for step in history:
        groups = defaultdict(set)
        for ref, group in step.items():
            groups[group].add(ref)
        clusters = [sorted(groups[group]) for group in sorted(groups)]
        done = assign(clusters, Past(previous, live), mint)
        assert len(set(done.ids)) == len(clusters)
        redirects = {old: done.redirects.get(new, new) for old, new in redirects.items()} | done.redirects
        previous = {ref: redirects.get(old, old) for ref, old in previous.items()}
        previous |= {ref: new for new, refs in zip(done.ids, clusters, strict=True) for ref in refs}
        live = set(done.ids)
        ever |= live
        tombstoned = (tombstoned | {c.entity_id for c in done.changes if c.kind == "tombstoned"}) - live
        assert ever == live | redirects.keys() | tombstoned
        assert not live & redirects.keys()
        assert not set(redirects.values()) & redirects.keys()
        again = assign(clusters, Past(previous, live), mint)
        assert (again.ids, again.redirects, again.changes) == (done.ids, {}, [])


def test_changes_say_what_happened():
    mint = mint_from(count(1))
    first = assign([["a", "b", "c"], ["d"]], Past({}, set()), mint)
    assert first.ids == ["00000001", "00000002"]
    previous = {"a": "00000001", "b": "00000001", "c": "00000001", "d": "00000002"}
    done = assign([["a"], ["b", "c", "d"]], Past(previous, set(first.ids)), mint)
    assert done.ids == ["00000003", "00000001"]
    assert [(c.kind, c.entity_id, c.new_id) for c in done.changes] == [
        ("split", "00000001", "00000003"),
        ("merged", "00000002", "00000001"),
    ]
