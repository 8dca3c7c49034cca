"""Deterministic linking: records that share a strong identifier are one thing, unless a stronger one forbids.

Pure and independent of the input's order. Knows records by number; what they are is in `identifiers.py`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

type Identifier = tuple[int, str, str]
"""Record number, scheme, value."""


@dataclass
class Clusters:
    """`root[record]` is the smallest record of its cluster; `weak`: (scheme, value) that link nothing."""

    root: list[int]
    weak: set[tuple[str, str]] = field(default_factory=set)

    def find(self, record: int) -> int:
        """Return the cluster of a record."""
        while self.root[record] != record:
            self.root[record] = record = self.root[self.root[record]]
        return record

    def join(self, records: Iterable[int]) -> int:
        """Make the clusters of the records one; return its smallest record."""
        roots = {self.find(record) for record in records}
        first = min(roots)
        for root in roots:
            self.root[root] = first
        return first


def link(
    size: int,
    identifiers: Iterable[Identifier],
    schemes: Sequence[str],
    is_shared: Callable[[str, list[list[int]]], bool],
) -> Clusters:
    """Cluster the records 0 to size - 1 by the schemes, the strongest first.

    A value never joins two clusters that both hold a stronger value of one scheme: they would differ in it,
    else they were one already. Such a value is weak, and so is one that `is_shared` (asked with its scheme
    and its records, cluster by cluster) says is common to several things. It links and forbids nothing.
    """
    records = _by_scheme(identifiers)
    clusters = Clusters(list(range(size)))
    stronger: list[set[int]] = []
    for scheme in schemes:
        strong: list[int] = []
        # By value, so that the outcome does not hang on the order of the records.
        for value, holders in sorted(records[scheme].items()):
            groups = _groups(clusters, holders)
            if len(groups) > 1 and (_forbidden(groups, stronger) or is_shared(scheme, list(groups.values()))):
                clusters.weak.add((scheme, value))
                continue
            first = clusters.join(groups)
            for held in stronger:
                if not held.isdisjoint(groups):
                    held.add(first)
            strong.append(first)
        stronger = [{clusters.find(record) for record in held} for held in [*stronger, strong]]
    clusters.root = [clusters.find(record) for record in range(size)]
    return clusters


def _groups(clusters: Clusters, holders: list[int]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for record in holders:
        groups[clusters.find(record)].append(record)
    return groups


def _forbidden(groups: dict[int, list[int]], stronger: list[set[int]]) -> bool:
    return any(len(held & groups.keys()) > 1 for held in stronger)


def _by_scheme(identifiers: Iterable[Identifier]) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for record, scheme, value in identifiers:
        found[scheme][value].append(record)
    return found
