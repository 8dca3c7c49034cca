"""Comparing what both servers hold: rows and checksums of every unit, and which rows differ.

The SQL is in `checksum`. Here: running it on both sides in parallel, and narrowing a difference down to keys.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.migration import checksum
from resources.migration.catalogue import Unit
from resources.migration.checksum import Sum
from resources.migration.plan import Part, ranges
from resources.migration.servers import Session, line
from resources.migration.workers import Pair, Workers

SAMPLE = 20
BUCKETS_SEARCHED = 8
PIECE_PAGES = 16384
"""128 MB: reading is quick, so pieces are larger than a copy's parts."""
SHOWN = 200
"""Characters of a key that a message shows: without a primary key it is the whole row."""
type Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


@dataclass(frozen=True)
class Compared:
    """A unit's sums on both sides."""

    unit: Unit
    source: Sum
    target: Sum

    @property
    def same(self) -> bool:
        """Whether rows and checksums agree."""
        return self.source == self.target


@dataclass(frozen=True)
class Difference:
    """A unit that differs, with the keys of some rows: missing in the target, unknown to the source, changed."""

    compared: Compared
    missing: list[str]
    surplus: list[str]
    changed: list[str]

    def __str__(self) -> str:
        """Return it as a sentence."""
        found, held = self.compared.source.rows, self.compared.target.rows
        counts = f"{found:,} rows in the source, {held:,} in the target"
        kinds = (("missing", self.missing), ("surplus", self.surplus), ("changed", self.changed))
        samples = "; ".join(f"{kind}: {', '.join(keys)}" for kind, keys in kinds if keys)
        return f"{self.compared.unit.label} ({counts}; {samples or 'no row found that differs'})"


def compare(workers: Workers, units: list[Unit], tell: Callable[[int], None]) -> list[Compared]:
    """Sum every unit up on both servers; `tell` gets the target's rows, piece by piece."""
    sums = {(unit, side): Sum() for unit in units for side in SIDES}
    for (side, part), found in workers.each(_sum, _pieces(workers, units)):
        sums[part.unit, side] += found
        tell(found.rows if side == "target" else 0)
    return [Compared(unit, sums[unit, "source"], sums[unit, "target"]) for unit in units]


def differences(workers: Workers, compared: list[Compared]) -> list[Difference]:
    """Return what differs, with samples of keys."""
    differing = [each for each in compared if not each.same]
    return sorted((found for _, found in workers.each(_sample, differing)), key=lambda each: each.compared.unit.label)


def _pieces(workers: Workers, units: list[Unit]) -> list[tuple[Side, Part]]:
    """Return ranges of both sides' own blocks, the largest units first."""
    [(_, held)] = workers.each(_pages, [units])
    return [
        (side, Part(unit, first, last))
        for unit in units
        for side in SIDES
        for first, last in ranges(unit.pages if side == "source" else held[unit], part_pages=PIECE_PAGES)
    ]


def _pages(pair: Pair, units: list[Unit]) -> dict[Unit, int]:
    """Return the blocks of each unit in the target; of a partitioned one, those of its largest leaf."""
    rows = pair.target.execute(
        "select (select max(pg_relation_size(r.oid)) / current_setting('block_size')::int8 from ("
        "  select relid as oid from pg_partition_tree(u.oid) union all select u.oid"
        ") as r) from unnest(%s::text[], %s::text[]) with ordinality as n (s, t, position), "
        "lateral (select to_regclass(format('%%I.%%I', n.s, n.t)) as oid) as u order by n.position",
        ([unit.schema for unit in units], [unit.name for unit in units]),
    ).fetchall()
    return {unit: pages or 0 for unit, (pages,) in zip(units, rows, strict=True)}


def _sum(pair: Pair, piece: tuple[Side, Part]) -> Sum:
    side, part = piece
    try:
        found = _session(pair, side).execute(checksum.of_part(part)).fetchone()
    except psycopg.errors.UndefinedTable as error:
        raise TerminalError(f"the {side} has no table {part.unit.label}: the move is not finished") from error
    except psycopg.Error as error:
        raise TerminalError(f"cannot read {part.unit.label} of the {side}: {line(error)}") from error
    rows, total = found or (0, 0)
    return Sum(rows, total)


def _session(pair: Pair, side: Side) -> Session:
    return pair.source if side == "source" else pair.target


def _sample(pair: Pair, compared: Compared) -> Difference:
    """Compare by buckets of keys, then the rows of the first few buckets that differ."""
    unit = compared.unit
    query = checksum.by_bucket(unit)
    sums = [set(_session(pair, side).execute(query).fetchall()) for side in SIDES]
    buckets = sorted({row[0] for row in sums[0] ^ sums[1]})[:BUCKETS_SEARCHED]
    source, target = (_rows(_session(pair, side), unit, buckets) for side in SIDES)
    return Difference(
        compared,
        missing=_some(key for key in source if key not in target),
        surplus=_some(key for key in target if key not in source),
        changed=_some(key for key, sums in source.items() if key in target and sums != target[key]),
    )


def _rows(connection: Session, unit: Unit, buckets: list[object]) -> dict[str, list[object]]:
    """Return the checksums by key; several where rows without a primary key are equal."""
    found: dict[str, list[object]] = {}
    rows = connection.execute(checksum.rows_of_buckets(unit), (buckets,))
    for key, hash_ in rows:
        found.setdefault(str(key), []).append(hash_)
    return {key: sorted(hashes, key=str) for key, hashes in found.items()}


def _some(keys: Iterable[str]) -> list[str]:
    return [key[:SHOWN] for key in sorted(keys)[:SAMPLE]]


def sequences(source: Session, target: Session) -> list[str]:
    """Return the sequences whose values differ, as sentences."""
    ours, theirs = sequence_values(target), sequence_values(source)
    return [
        f"sequence {name} is at {ours.get(name, 'nothing')} in the target and {value} in the source"
        for name, value in theirs.items()
        if ours.get(name) != value
    ]


def sequence_values(connection: Session) -> dict[str, tuple[int, bool]]:
    """Return last value and whether it was used of every sequence, by quoted name."""
    from resources.migration.catalogue import USER_SCHEMAS

    names = connection.execute(
        "select n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        f"where c.relkind = 'S' and c.relpersistence <> 't' and {USER_SCHEMAS} order by 1, 2"
    ).fetchall()
    if not names:
        return {}
    each = sql.SQL("select {}, last_value, is_called from {}")
    quoted = [sql.Identifier(str(schema), str(name)) for schema, name in names]
    query = sql.SQL(" union all ").join(each.format(sql.Literal(name.as_string()), name) for name in quoted)
    return {str(name): (value, bool(called)) for name, value, called in connection.execute(query)}
