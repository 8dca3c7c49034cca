"""Clusters of records under constraints: which may become one, which never. Pure; records are numbers.

Two clusters never join where a person said so, where both hold a value of one strong scheme (they would differ in
it, else they were one already), where both hold a record of one clean source, where both are claimed, or where the
whole would be too big.
What links them is in `linking.py` (shared identifiers) and `agglomerate.py` (likeness).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

CLAIM = "claim"
"""In `held`, among the schemes: clusters with an open claim. Two of them join only by a person's word."""
BOTH_CLAIMED = "both are claimed"
"""The reason of such a question."""


@dataclass
class Clusters:
    """`root[record]`: the smallest record of its cluster, once `settle` has been called; until then use `find`.

    `apart`: cluster -> clusters it must not join. `held`: scheme -> clusters that hold a value of it.
    """

    root: list[int]
    apart: dict[int, set[int]] = field(default_factory=dict)
    held: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int, apart: Iterable[tuple[int, int]] = ()) -> "Clusters":
        """Return the records 0 to size - 1, each alone; `apart`: pairs of records that never join."""
        made = cls(list(range(size)))
        for left, right in apart:
            made.apart.setdefault(left, set()).add(right)
            made.apart.setdefault(right, set()).add(left)
        return made

    def find(self, record: int) -> int:
        """Return the cluster of a record."""
        root = self.root
        while root[record] != record:
            root[record] = record = root[root[record]]
        return record

    def join(self, records: Iterable[int]) -> int:
        """Make the clusters of the records one, whatever the constraints; return its smallest record."""
        roots = {self.find(record) for record in records}
        first = min(roots)
        roots.discard(first)
        for root in roots:
            self.root[root] = first
            self._keep_apart(root, first)
        for clusters in self.held.values():
            if not clusters.isdisjoint(roots):
                clusters -= roots
                clusters.add(first)
        return first

    def are_apart(self, left: int, right: int) -> bool:
        """Tell whether a person keeps the two clusters apart."""
        return right in self.apart.get(left, ())

    def contradiction(self, clusters: Iterable[int], schemes: Sequence[str]) -> str | None:
        """Return the first of the schemes of which two or more of the clusters hold a value."""
        wanted = set(clusters)
        return next((scheme for scheme in schemes if len(self.held.get(scheme, set()) & wanted) > 1), None)

    def both_claimed(self, left: int, right: int) -> bool:
        """Tell whether somebody owns or asks for the one cluster, and somebody for the other."""
        return self.contradiction((left, right), (CLAIM,)) is not None

    def hold(self, scheme: str, records: Iterable[int]) -> None:
        """Note that the clusters of the records hold a value of the scheme."""
        self.held.setdefault(scheme, set()).update(self.find(record) for record in records)

    def settle(self) -> None:
        """Make `root` answer at once for every record."""
        self.root = [self.find(record) for record in range(len(self.root))]

    def _keep_apart(self, old: int, new: int) -> None:
        for other in self.apart.pop(old, ()):
            self.apart[other].discard(old)
            self.apart[other].add(new)
            self.apart.setdefault(new, set()).add(other)
