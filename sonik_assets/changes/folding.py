"""Messages of the log become keys that changed, one entry a key. Where messages come from is `feed`'s."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resources.errors import TerminalError
from sonik_assets.changes import pgoutput
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.pgoutput import FIRST, UNCHANGED, Begin, Commit, Logical, Relation, Truncate

SCHEMA = "unified"
PUBLISHED = "sonik.published"
"""Prefix of the messages of `ops.publish`: a table has come whose rows are on no log."""
_CHANGES = b"IUD"
_UPDATE, _KEY = b"UK"
_NEW = ord("N")


class Row(Mapping[str, str | None]):
    """An old row as far as the server told it, text by column; where it told the key only, that. Read when asked for.

    Most keys that changed are still there, and nobody asks what they were: reading them all took most of the time.
    """

    __slots__ = ("_data", "_relation", "_values")

    def __init__(self, data: bytes, relation: Relation) -> None:
        self._data = data
        self._relation = relation
        self._values: dict[str, str | None] | None = None

    def __getitem__(self, column: str) -> str | None:
        return self._read()[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Row({self._read()!r})"

    def _read(self) -> dict[str, str | None]:
        if self._values is None:
            is_key = self._data[5] == _KEY
            values, _ = pgoutput.row_at(self._data, FIRST)
            self._values = {
                column.name: value  # type: ignore[misc]
                for column, value in zip(self._relation.columns, values, strict=True)
                if value is not UNCHANGED and (column.is_key or not is_key)
            }
        return self._values


@dataclass(frozen=True)
class Batch:
    """Keys that changed, by table (of schema `unified`, without it): first column of the key -> the oldest row told.

    `end`: the end of the last whole transaction in it, to be acknowledged when it is applied; None in the midst of one
    that is larger than a batch. `xids`: the transactions it comes from. `rebuild`: keys do not say what changed (a
    table was truncated, made anew or published): nothing is acknowledged, the store must be made from the tables.
    `further`: by table the old rows that were told after a key's oldest; of a key of several columns, other rows.
    """

    keys: Mapping[str, Mapping[str, Row | None]]
    end: Lsn | None
    xids: frozenset[int] = frozenset()
    rebuild: bool = False
    further: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(slots=True)
class _Table:
    relation: Relation
    index: int
    """Of the key's first column."""
    rows: dict[str, Row | None]
    further: list[Row]


@dataclass
class Folding:
    """What came since the last batch. Transactions that ended at `since` or before are passed over.

    `present`: oid of each table of the schema today, by name: what the log calls by the same name and another oid has
    been made anew since.
    """

    since: Lsn
    tables: Collection[str]
    present: Mapping[str, int]
    end: Lsn | None = None
    _wanted: dict[bytes, _Table] = field(default_factory=dict)
    _remade: set[bytes] = field(default_factory=set)
    _rows: dict[str, dict[str, Row | None]] = field(default_factory=dict)
    _further: dict[str, list[Row]] = field(default_factory=dict)
    _xids: set[int] = field(default_factory=set)
    _xid: int = 0
    _skips: bool = False
    _rebuild: bool = False

    def __len__(self) -> int:
        return sum(map(len, self._rows.values())) + sum(map(len, self._further.values()))

    @property
    def must_rebuild(self) -> bool:
        """Whether something came that no list of keys tells."""
        return self._rebuild

    def take(self, messages: Iterable[bytes]) -> None:
        """Fold messages, in the order of the log. TerminalError where one is not to be understood."""
        wanted, value_at = self._wanted, pgoutput.value_at
        skips = self._skips
        for data in messages:
            kind = data[0]
            if kind in _CHANGES:
                if skips:
                    continue
                table = wanted.get(data[1:5])
                if table is None:
                    self._rebuild |= data[1:5] in self._remade
                elif data[5] == _NEW:
                    table.rows.setdefault(value_at(data, FIRST, table.index), None)  # type: ignore[arg-type]
                else:
                    _fold_old(data, table)
            else:
                self._control(data)
                skips = self._skips

    def batch(self) -> Batch:
        """Return what came, and begin the next batch."""
        keys = {name: rows for name, rows in self._rows.items() if rows}
        further = {name: rows for name, rows in self._further.items() if rows}
        found = Batch(keys, self.end, frozenset(self._xids), self._rebuild, further)
        self._rows, self._further = {}, {}
        for table in self._wanted.values():
            table.rows = self._rows.setdefault(table.relation.name, {})
            table.further = self._further.setdefault(table.relation.name, [])
        self.end, self._rebuild = None, False
        # Of a transaction that goes on, the next batch has more.
        self._xids = {self._xid} & self._xids if self._xid else set()
        return found

    def _control(self, data: bytes) -> None:
        message = pgoutput.decode(data)
        match message:
            case Begin():
                # `since` lies between two records: a commit that begins before it has ended there.
                self._skips = message.final < self.since
                self._xid = message.xid
                if not self._skips:
                    self._xids.add(message.xid)
            case Commit():
                if not self._skips:
                    self.end = message.end
                self._xid, self._skips = 0, False
            case Relation():
                self._know(message, data[1:5])
            case Truncate() if not self._skips:
                oids = {oid.to_bytes(4) for oid in message.relations}
                self._rebuild |= not oids.isdisjoint(self._wanted.keys() | self._remade)
            case Logical(prefix=prefix) if prefix == PUBLISHED and not self._skips:
                schema, _, name = message.content.decode().partition(".")
                self._rebuild |= schema == SCHEMA and name in self.tables
            case _:
                pass

    def _know(self, relation: Relation, oid: bytes) -> None:
        self._wanted.pop(oid, None)
        # dbt makes a table anew under another name first.
        name = relation.name.partition("__dbt_")[0]
        if relation.schema != SCHEMA or name not in self.tables:
            return
        if self.present.get(relation.name) != relation.oid:
            self._remade.add(oid)
            return
        rows = self._rows.setdefault(name, {})
        self._wanted[oid] = _Table(relation, _key(relation), rows, self._further.setdefault(name, []))


def _key(relation: Relation) -> int:
    index = next((n for n, column in enumerate(relation.columns) if column.is_key), None)
    if index is None:
        raise TerminalError(
            f"change feed: {relation.schema}.{relation.name} tells no key of its rows: give it a primary key, or run"
            f" `alter table {relation.schema}.{relation.name} replica identity full`"
        )
    return index


def _fold_old(data: bytes, table: _Table) -> None:
    """Fold an update or a delete that tells an old row."""
    rows = table.rows
    old = pgoutput.value_at(data, FIRST, table.index)
    if rows.get(old) is None:  # type: ignore[arg-type]
        rows[old] = Row(data, table.relation)  # type: ignore[index]
    else:
        table.further.append(Row(data, table.relation))
    if data[0] == _UPDATE and not (table.index == 0 and _keeps_first(data)):
        new = pgoutput.value_at(data, pgoutput.skip(data, FIRST) + 1, table.index)
        if isinstance(new, str):
            rows.setdefault(new, None)


def _keeps_first(data: bytes) -> bool:
    """Return whether the new row of an update begins with the same text as the old one, without going over the old one.

    The new row's letter, its number of columns and that text with its length are nowhere else: the length has a zero
    byte, no text has one, and no value's letter is as small as the number's first byte.
    """
    end = FIRST + 7 + int.from_bytes(data[FIRST + 3 : FIRST + 7])
    return data.find(b"N" + data[FIRST:end], end) >= 0
