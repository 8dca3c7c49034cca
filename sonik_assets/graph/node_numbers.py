"""Which number in the graph each node has, by its uuid: to give the edges of a bulk load their ends.

A join would build its table again for every batch of edges; this is built once a label: node keys sorted by a
hash of 64 bits, and a table of where each prefix of the hash begins. 28 bytes a node. Nothing here reads or sends.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

type Numbers = np.ndarray[Any, np.dtype[Any]]

MISSING = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TOP = np.iinfo(np.uint64).max


def keys_of(uuids: bytes | memoryview) -> Numbers:
    """Return uuids (16 bytes each) as rows of two uint64."""
    return np.frombuffer(uuids, np.uint64).reshape(-1, 2)


class NodeNumbers:
    """The numbers of the nodes of one label."""

    def __init__(self, batches: Sequence[tuple[int, Numbers]]) -> None:
        """Take batches of (number of the first node, keys of the nodes that follow one another)."""
        keys = np.concatenate([keys for _, keys in batches] or [np.empty((0, 2), np.uint64)])
        numbers = np.concatenate([[], *(np.arange(first, first + len(keys)) for first, keys in batches)])
        hashes = _hash(keys)
        order = np.argsort(hashes)
        # One row more than there are nodes: the search may run over the end, and stops there.
        self._hashes = np.append(hashes[order], _TOP)
        self._keys = np.append(keys[order], np.zeros((1, 2), np.uint64), axis=0)
        self._numbers = np.append(numbers[order], MISSING).astype(np.int64)
        bits = max(1, len(keys).bit_length())
        self._shift = np.uint64(64 - bits)
        self._begins = np.searchsorted(hashes[order], np.arange(1 << bits, dtype=np.uint64) << self._shift)

    def find(self, keys: Numbers) -> Numbers:
        """Return the number of each key (int64), `MISSING` where no node has it."""
        hashes = _hash(keys)
        at = self._begins[hashes >> self._shift]
        behind = np.arange(len(keys))
        while len(behind):
            here = at[behind]
            further = (self._hashes[here] < hashes[behind]) | self._another(here, keys[behind], hashes[behind])
            behind = behind[further]
            at[behind] += 1
        numbers: Numbers = np.where((self._keys[at] == keys).all(axis=1), self._numbers[at], MISSING)
        return numbers

    def _another(self, at: Numbers, keys: Numbers, hashes: Numbers) -> Numbers:
        """Tell where a different key has the same hash, and the right one may follow."""
        same = (self._hashes[at] == hashes) & (at < len(self._hashes) - 1)
        another: Numbers = same & (self._keys[at] != keys).any(axis=1)
        return another


def _hash(keys: Numbers) -> Numbers:
    mixed = (keys[:, 0] * _MIX + keys[:, 1]) * _MIX
    mixed ^= mixed >> np.uint64(32)
    hashes: Numbers = mixed * _MIX
    return hashes
