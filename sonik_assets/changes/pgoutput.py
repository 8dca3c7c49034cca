"""PostgreSQL's logical replication messages, protocol version 1, from bytes to values. Nothing here asks a server.

Rules: PostgreSQL's manual, "Logical Replication Message Formats". Values come as the server writes them as text. Where
only keys matter, `value_at` and `skip` go over a row without making its values.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from resources.errors import TerminalError
from sonik_assets.changes.lsn import Lsn


class Unchanged(enum.Enum):
    """The one value of a column that is stored out of line and was not touched: the server does not tell it."""

    UNCHANGED = "u"


UNCHANGED: Final = Unchanged.UNCHANGED
type Value = str | bytes | Unchanged | None
"""Text, the binary form (asked for by the option `binary`), null, or not told."""
type Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins: where its commit is in the log, when that was (us since 2000-01-01 UTC), its 32-bit id."""

    final: Lsn
    at: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """It ends. `lsn`: its commit; `end`: the position behind that."""

    flags: int
    lsn: Lsn
    end: Lsn
    at: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The transaction came from another server."""

    lsn: Lsn
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation; `is_key`: part of the replica identity."""

    is_key: bool
    name: str
    type: int
    modifier: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was when the changes after this message were made. `identity`: d, n, f or i."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """A type that is not built in."""

    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """A changed row. `old`: None, or as `old_is`: the key that it had (K, other columns null), or the whole row (O)."""

    relation: int
    old_is: str
    old: Row | None
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that is gone: its key (K, other columns null), or the whole row (O)."""

    relation: int
    old_is: str
    old: Row


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables emptied at once. Options: 1 cascade, 2 restart identity."""

    options: int
    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Logical:
    """What a program wrote into the log by `pg_logical_emit_message`."""

    is_transactional: bool
    lsn: Lsn
    prefix: str
    content: bytes


type Message = Begin | Commit | Origin | Relation | Type | Insert | Update | Delete | Truncate | Logical

_I16, _I32, _U32, _U64 = Struct(">h"), Struct(">i"), Struct(">I"), Struct(">Q")
_BEGIN, _COMMIT, _COLUMN, _LOGICAL = Struct(">QqI"), Struct(">BQQq"), Struct(">Ii"), Struct(">BQ")
_TRUNCATE = Struct(">IB")
_TEXT, _NULL, _UNCHANGED = b"tnu"
_TOLD = b"tb"
_NEW = ord("N")
FIRST = 6
"""Where the row of an insert or delete begins, and the first one of an update, after its letter at 5."""


def decode(data: bytes) -> Message:
    """Return what a message says; TerminalError where it is none of version 1."""
    decoder = _DECODERS.get(data[:1])
    if decoder is None:
        raise TerminalError(
            f"change feed: message {data[:1]!r} is none of pgoutput's protocol version 1: is the slot read by this"
            " program only, and with its options?"
        )
    return decoder(data)


def row_at(data: bytes, at: int) -> tuple[Row, int]:
    """Return the row that begins at `at`, and where it ends."""
    (count,) = _I16.unpack_from(data, at)
    at += 2
    values: list[Value] = []
    for _ in range(count):
        kind = data[at]
        if kind in _TOLD:
            begin = at + 5
            at = begin + int.from_bytes(data[at + 1 : begin])
            values.append(data[begin:at].decode() if kind == _TEXT else data[begin:at])
        else:
            values.append(None if _is_null(kind) else UNCHANGED)
            at += 1
    return tuple(values), at


def value_at(data: bytes, at: int, index: int) -> Value:
    """Return one value of the row that begins at `at`, no other is made."""
    at = _over(data, at + 2, index)
    kind = data[at]
    if kind in _TOLD:
        value = data[at + 5 : at + 5 + int.from_bytes(data[at + 1 : at + 5])]
        return value.decode() if kind == _TEXT else value
    return None if _is_null(kind) else UNCHANGED


def skip(data: bytes, at: int) -> int:
    """Return where the row that begins at `at` ends."""
    return _over(data, at + 2, int.from_bytes(data[at : at + 2]))


def _over(data: bytes, at: int, count: int) -> int:
    for _ in range(count):
        kind = data[at]
        if kind in _TOLD:
            at += 5 + int.from_bytes(data[at + 1 : at + 5])
        else:
            _is_null(kind)
            at += 1
    return at


def _is_null(kind: int) -> bool:
    if kind not in (_NULL, _UNCHANGED):
        raise TerminalError(f"change feed: a value of the kind {chr(kind)!r} is none of pgoutput's protocol version 1")
    return kind == _NULL


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return a text that a zero byte ends, and where the next value begins."""
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _begin(data: bytes) -> Begin:
    final, at, xid = _BEGIN.unpack_from(data, 1)
    return Begin(Lsn(final), at, xid)


def _commit(data: bytes) -> Commit:
    flags, lsn, end, at = _COMMIT.unpack_from(data, 1)
    return Commit(flags, Lsn(lsn), Lsn(end), at)


def _origin(data: bytes) -> Origin:
    return Origin(Lsn(_U64.unpack_from(data, 1)[0]), _text(data, 9)[0])


def _relation(data: bytes) -> Relation:
    schema, at = _text(data, 5)
    name, at = _text(data, at)
    identity = chr(data[at])
    (count,) = _I16.unpack_from(data, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        is_key = bool(data[at] & 1)
        column, at = _text(data, at + 1)
        columns.append(Column(is_key, column, *_COLUMN.unpack_from(data, at)))
        at += _COLUMN.size
    return Relation(_U32.unpack_from(data, 1)[0], schema or "pg_catalog", name, identity, tuple(columns))


def _type(data: bytes) -> Type:
    schema, at = _text(data, 5)
    return Type(_U32.unpack_from(data, 1)[0], schema or "pg_catalog", _text(data, at)[0])


def _insert(data: bytes) -> Insert:
    return Insert(_U32.unpack_from(data, 1)[0], row_at(data, FIRST)[0])


def _update(data: bytes) -> Update:
    (relation,) = _U32.unpack_from(data, 1)
    if data[5] == _NEW:
        return Update(relation, "", None, row_at(data, FIRST)[0])
    old, at = row_at(data, FIRST)
    return Update(relation, chr(data[5]), old, row_at(data, at + 1)[0])


def _delete(data: bytes) -> Delete:
    return Delete(_U32.unpack_from(data, 1)[0], chr(data[5]), row_at(data, FIRST)[0])


def _truncate(data: bytes) -> Truncate:
    count, options = _TRUNCATE.unpack_from(data, 1)
    return Truncate(options, Struct(f">{count}I").unpack_from(data, 6))


def _logical(data: bytes) -> Logical:
    flags, lsn = _LOGICAL.unpack_from(data, 1)
    prefix, at = _text(data, 10)
    (length,) = _I32.unpack_from(data, at)
    return Logical(bool(flags & 1), Lsn(lsn), prefix, data[at + 4 : at + 4 + length])


_DECODERS: dict[bytes, Callable[[bytes], Message]] = {
    b"B": _begin,
    b"C": _commit,
    b"O": _origin,
    b"R": _relation,
    b"Y": _type,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
    b"M": _logical,
}
