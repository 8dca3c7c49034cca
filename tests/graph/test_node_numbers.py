"""Every key finds the number of its node, whatever the uuids look like, and no other key finds any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.graph import node_numbers
from sonik_assets.graph.node_numbers import MISSING, NodeNumbers, keys_of

uuids = st.uuids() | st.integers(0, 50).map(lambda number: number.to_bytes(16))


def bytes_of(uuid: object) -> bytes:
    return uuid if isinstance(uuid, bytes) else uuid.bytes  # type: ignore[attr-defined,no-any-return]


def check(known: list[bytes], unknown: list[bytes], cut: int) -> None:
    batches = [(100, keys_of(b"".join(known[:cut]))), (5_000, keys_of(b"".join(known[cut:])))]
    numbers = NodeNumbers(batches)
    wanted = [100 + i if i < cut else 5_000 + i - cut for i in range(len(known))]
    assert numbers.find(keys_of(b"".join(known))).tolist() == wanted
    assert numbers.find(keys_of(b"".join(unknown))).tolist() == [MISSING] * len(unknown)


@given(st.lists(uuids.map(bytes_of), unique=True, max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_every_key_finds_its_own_number(ids: list[bytes], share: int, cut: int) -> None:
    known, unknown = ids[:share], ids[share:]
    check(known, unknown, min(cut, len(known)))


@pytest.mark.parametrize("spread", [1, 3])
def test_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch, spread: int) -> None:
    monkeypatch.setattr(node_numbers, "_hash", lambda keys: keys[:, 1] % np.uint64(spread) * np.uint64(2**64 - 1))
    ids = [number.to_bytes(16, "little") for number in range(20)]
    check(ids[:15], ids[15:], 7)


def test_no_node_has_no_number() -> None:
    assert NodeNumbers([]).find(keys_of(b"x" * 32)).tolist() == [MISSING, MISSING]
