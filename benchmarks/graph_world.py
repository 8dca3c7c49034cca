"""A synthetic graph whose popularity follows a power law, sent with GRAPH.BULK; no PostgreSQL, no product code.

At scale 1 `operations` has about 100,000 nodes and 500,000 edges, at scale 10 a million and five million.
"""

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from numpy.typing import NDArray

ROWS = 100_000
"""Rows of one GRAPH.BULK command: larger ones hold up readers of other graphs."""
YEAR_MS = 365 * 86_400_000
NOW_MS = 1_790_000_000_000

NODES = {
    "Person": 75_000,
    "Event": 10_000,
    "Ticket": 8_000,
    "Content": 3_000,
    "Artist": 2_000,
    "Venue": 1_000,
    "Organization": 500,
    "Campaign": 500,
}
EDGES = (
    ("ATTENDED", "Person", "Event", 230_000),
    ("SHARED", "Person", "Event", 90_000),
    ("SHARED", "Person", "Content", 20_000),
    ("REFERRED", "Person", "Person", 70_000),
    ("PURCHASED", "Person", "Ticket", 40_000),
    ("CONVERTED_VIA", "Person", "Campaign", 12_000),
    ("PERFORMS_AT", "Artist", "Event", 15_000),
    ("HOSTED_BY", "Event", "Venue", 10_000),
    ("PROMOTED_BY", "Event", "Organization", 10_000),
    ("WORKS_FOR", "Person", "Organization", 1_500),
    ("OWNS", "Person", "Venue", 800),
    ("MANAGES", "Person", "Artist", 700),
)
CODE = {"CodeModule": 2_000, "Feature": 200, "Revenue": 5, "Sentiment": 2}
CODE_EDGES = (
    ("DEPENDS_ON", "CodeModule", "CodeModule", 9_000),
    ("IMPLEMENTS", "CodeModule", "Feature", 1_500),
    ("IMPACTS", "Feature", "Revenue", 400),
)
ONCE = ("HOSTED_BY", "PROMOTED_BY")
"""Of these each node begins exactly one."""


@dataclass
class World:
    """What was made: the first internal node number and the count of each label, and every edge's ends."""

    first: dict[str, int] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    ends: dict[tuple[str, str, str], "tuple[NDArray[np.int64], NDArray[np.int64]]"] = field(default_factory=dict)

    def id(self, label: str, position: int) -> str:
        """Return the id of a label's node."""
        return str(UUID(int=self.first[label] + position))


def build(client: "FalkorDB", name: str, scale: int, *, seed: int = 1) -> World:
    """Make graph `name` anew, `operations` or `knowledge` at a scale, with its indexes; return what is in it."""
    nodes, edges = (CODE, CODE_EDGES) if name == "knowledge" else (NODES, EDGES)
    world, rng = World(), np.random.default_rng(seed)
    if name in client.list_graphs():
        client.select_graph(name).delete()
    sender = _Sender(client, name)
    for label, count in nodes.items():
        world.first[label], world.count[label] = sum(world.count.values()), count * scale
        sender.nodes(label, _properties(label, world, rng))
    for type, start, end, count in edges:
        pairs = _ends(type, world.count[start], world.count[end], count * scale, rng)
        world.ends[type, start, end] = pairs
        sender.edges(type, world.first[start] + pairs[0], world.first[end] + pairs[1], rng)
    for label in nodes:
        client.select_graph(name).query(f"CREATE INDEX FOR (n:{label}) ON (n.id)")
    return world


def popular(count: int, size: int, rng: np.random.Generator, *, flatness: float = 2.2) -> "NDArray[np.int64]":
    """Draw positions of which few are drawn very often: the density falls as a power of the rank."""
    drawn: NDArray[np.int64] = (count * rng.random(size) ** flatness).astype(np.int64)
    return drawn


def _ends(type: str, starts: int, ends: int, size: int, rng: np.random.Generator) -> "Any":
    start = np.arange(starts) if type in ONCE else popular(starts, size, rng, flatness=1.4)
    end = popular(ends, len(start), rng)
    # Popular by different orders, or the same few nodes would be everything; no edge twice, none to itself.
    end = (end * 7_919 + 13) % ends
    keys = np.unique(start * ends + end)
    start, end = keys // ends, keys % ends
    apart = (start != end) if type in ("REFERRED", "DEPENDS_ON") else slice(None)
    return start[apart], end[apart]


def _properties(label: str, world: World, rng: np.random.Generator) -> pl.DataFrame:
    count, first = world.count[label], world.first[label]
    name = pl.DataFrame(
        {
            "id": [str(UUID(int=first + n)) for n in range(count)],
            "name": pl.Series(range(count), dtype=pl.Int64).cast(pl.String).str.pad_start(1) + f" {label}",
        }
    )
    if label == "Event":
        days = pl.Series(rng.integers(0, 700, count)).cast(pl.Int32) + 20_000
        return name.with_columns(date=days.cast(pl.Date).cast(pl.String))
    if label == "Ticket":
        events = world.first["Event"] + rng.integers(0, world.count["Event"], count)
        return name.with_columns(event_id=pl.Series([str(UUID(int=int(n))) for n in events]))
    if label == "Person":
        known = np.where(rng.random(count) < 0.01, "claimed", "unclaimed")  # one in a hundred has an account
        return name.with_columns(claim_status=pl.Series(known))
    if label == "CodeModule":
        return name.rename({"name": "path"}).with_columns(importance=pl.Series(rng.random(count)))
    if label == "Feature":
        return name.with_columns(revenue_impact=pl.Series(rng.random(count) * 1e6))
    return name


class _Sender:
    """Encodes rows as GRAPH.BULK wants them (each property is a type byte and its value) and sends them."""

    def __init__(self, client: "FalkorDB", name: str) -> None:
        self.client, self.name, self.begun = client, name, False

    def nodes(self, label: str, frame: pl.DataFrame) -> None:
        head = _head(label, frame.columns)
        for part in frame.iter_slices(ROWS):
            blob = b"".join(b"".join(map(_value, row)) for row in part.iter_rows())
            self._send(len(part), 0, [head + blob], [])

    def edges(self, type: str, start: "NDArray[np.int64]", end: "NDArray[np.int64]", rng: np.random.Generator) -> None:
        head = _head(type, ["id", "weight", "timestamp", "confidence"])
        fields = [("start", "<i8"), ("end", "<i8"), ("ti", "u1"), ("id", "S12"), ("z", "u1")]
        fields += [("tw", "u1"), ("weight", "<f8"), ("tt", "u1"), ("timestamp", "<i8"), ("tc", "u1"), ("c", "<f8")]
        for at in range(0, len(start), ROWS):
            part = slice(at, at + ROWS)
            rows = np.zeros(len(start[part]), dtype=fields)
            rows["start"], rows["end"], rows["ti"], rows["tw"], rows["tt"], rows["tc"] = (
                start[part],
                end[part],
                3,
                2,
                4,
                2,
            )
            rows["id"] = _numbered(type, at, len(rows))
            rows["weight"] = np.round(rng.random(len(rows)), 3)
            rows["timestamp"] = NOW_MS - rng.integers(0, YEAR_MS, len(rows))
            rows["c"] = 1.0
            self._send(0, len(rows), [], [head + rows.tobytes()])

    def _send(self, nodes: int, edges: int, labels: list[bytes], types: list[bytes]) -> None:
        begin = [] if self.begun else ["BEGIN"]
        counts = [nodes, edges, len(labels), len(types)]
        self.client.connection.execute_command("GRAPH.BULK", self.name, *begin, *counts, *labels, *types)
        self.begun = True


def _numbered(type: str, first: int, count: int) -> "Any":
    """Return ids of 12 bytes: three letters of the type, nine digits."""
    digits = (np.arange(first, first + count)[:, None] // 10 ** np.arange(8, -1, -1)) % 10 + ord("0")
    letters = np.tile(np.frombuffer(type[:3].encode(), dtype="u1"), (count, 1))
    return np.ascontiguousarray(np.hstack([letters, digits.astype("u1")])).view("S12").ravel()


def _head(name: str, properties: list[str]) -> bytes:
    texts = b"".join(each.encode() + b"\0" for each in properties)
    return name.encode() + b"\0" + struct.pack("<I", len(properties)) + texts


def _value(value: object) -> bytes:
    if isinstance(value, float):
        return b"\x02" + struct.pack("<d", value)
    return b"\x03" + str(value).encode() + b"\0"
