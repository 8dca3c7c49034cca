"""Deterministic linking: records that share a strong identifier are one thing, unless something forbids. Pure.

Independent of the records' order. Likeness is judged elsewhere: `agglomerate.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sonik_assets.identity.clusters import Clusters

type Holders = tuple[str, list[int]]
"""A value and the numbers of the records that hold it, two or more."""
type IsShared = Callable[[str, str, list[list[int]]], bool]
"""Asked with a scheme, a value and its records, cluster by cluster: is the value common to several things?"""


def agree(
    clusters: Clusters,
    shared: Mapping[str, Iterable[Holders]],
    alone: Mapping[str, Iterable[int]],
    schemes: Sequence[str],
    forbid: Sequence[str],
    is_shared: IsShared,
) -> set[tuple[str, str]]:
    """Join the clusters whose records share a value, the strongest scheme first; return what is weak.

    `shared`: scheme -> values of several records; `alone`: scheme -> records that hold a value nobody else holds.
    A value that would join two clusters which both hold a value of a stronger scheme that can `forbid` is weak
    (scheme, value), and so is one that `is_shared`: it links and forbids nothing. Where a person keeps records apart,
    or both are claimed, each cluster goes with the first one that it may join.
    """
    weak: set[tuple[str, str]] = set()
    for position, scheme in enumerate(schemes):
        strong = list(alone.get(scheme, ()))
        stronger = [other for other in schemes[:position] if other in forbid]
        # By value, so that the outcome does not hang on the order of the records.
        for value, holders in sorted(shared.get(scheme, ())):
            groups = _groups(clusters, holders)
            if len(groups) > 1:
                if clusters.contradiction(groups, stronger) or is_shared(scheme, value, list(groups.values())):
                    weak.add((scheme, value))
                    continue
                for part in _allowed(clusters, sorted(groups)):
                    clusters.join(part)
            strong += holders
        clusters.hold(scheme, strong)
    return weak


def _allowed(clusters: Clusters, groups: list[int]) -> Iterator[list[int]]:
    """Yield the parts of a value's clusters that may be one: all of them where no person objects or owns two."""

    def kept_apart(left: int, right: int) -> bool:
        return clusters.are_apart(left, right) or clusters.both_claimed(left, right)

    parts: list[list[int]] = []
    for group in groups:
        free = (part for part in parts if not any(kept_apart(group, other) for other in part))
        home = next(free, None)
        if home is None:
            parts.append([group])
        else:
            home.append(group)
    yield from parts


def _groups(clusters: Clusters, holders: list[int]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for record in holders:
        groups.setdefault(clusters.find(record), []).append(record)
    return groups
