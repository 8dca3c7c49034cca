"""Arrow tables as the binary rows of FalkorDB's `GRAPH.BULK`: no server, no SQL, no file.

A blob is `name NUL, u32 count, property NUL ...` and then rows without separators. A value is a type byte and
its content; an edge row begins with the numbers of its two nodes. What a property cannot hold is refused here,
because the server stores it mangled or takes it for the end of the value. Who sends the blobs is `bulk.py`.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import TerminalError

NULL, BOOL, DOUBLE, STRING, LONG, ARRAY = range(6)

_BYTES = pa.large_binary()
_STRING, _NUL = bytes([STRING]), b"\0"

type Numbers = np.ndarray[Any, np.dtype[Any]]
type Values = Any
"""A `pa.Array`: the stubs of `pyarrow.compute` cannot follow arrays whose type is known only at run time."""
type Field = tuple[np.dtype[Any], Numbers | int]
"""One field of the fixed part of a row: its type, and its values or the constant that all rows have."""


class Refused(ValueError):
    """A value that a property cannot hold: in which row of the table it is, and why."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def node_blob(graph: str, label: str, table: pa.Table) -> bytes:
    """Return the blob of one label; the columns are its properties. TerminalError names a refused value."""
    return _blob(graph, label, table, [])


def edge_blob(graph: str, name: str, starts: Numbers, ends: Numbers, table: pa.Table) -> bytes:
    """Return the blob of one edge type, from node numbers (int64) and a table of its properties."""
    return _blob(graph, name, table, [(np.dtype("<i8"), starts), (np.dtype("<i8"), ends)])


def _blob(graph: str, name: str, table: pa.Table, lead: list[Field]) -> bytes:
    """Put what has one width in all rows first: that is one packed record, and only the rest is joined."""
    fields, order, loose = list(lead), [], []
    behind: list[bytes | Values] = []
    for column in table.column_names:
        values = _whole(table.column(column))
        try:
            found = _fixed(values)
            if found is None:
                loose.append(column)
                behind.extend(_pieces(values))
                continue
        except Refused as refused:
            raise _explained(graph, name, table, column, refused) from refused
        order.append(column)
        fields.extend(found)
    first = [_packed(fields, len(table))] if fields else []
    return _header(name, [*order, *loose]) + _joined([*first, *behind])


def _explained(graph: str, name: str, table: pa.Table, column: str, refused: Refused) -> TerminalError:
    row = table.column("id")[refused.row].as_py() if "id" in table.column_names else f"row {refused.row}"
    return TerminalError(
        f"graph {graph}: {name} {row}: property {column}: {refused}; correct that record and run again"
    )


def _header(name: str, properties: Sequence[str]) -> bytes:
    names = b"".join(prop.encode() + _NUL for prop in properties)
    return name.encode() + _NUL + struct.pack("<I", len(properties)) + names


def _whole(column: Values) -> Values:
    values = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    return _text(values)


def _text(values: Values) -> Values:
    return values.cast(pa.large_string()) if pa.types.is_string(values.type) else values


def _fixed(values: Values) -> list[Field] | None:
    """Return the fields of a column whose values are all equally wide, None where they are not."""
    if values.null_count == len(values):
        return [_constant(NULL)]
    if pa.types.is_large_string(values.type):
        return _fixed_text(values)
    if values.null_count or _is_list(values.type):
        return None
    code, numbers = _numbers(values)
    return [_constant(code), (numbers.dtype, numbers)]


def _constant(code: int) -> Field:
    return np.dtype("u1"), code


def _fixed_text(values: Values) -> list[Field] | None:
    """Ids, dates and codes: text of one length needs no join."""
    offsets = _offsets(values)
    width = int(offsets[1] - offsets[0])
    if values.null_count or not width or (np.diff(offsets) != width).any():
        return None
    _refuse_nul(values)
    kind = np.dtype(f"V{width}")
    data = np.frombuffer(values.buffers()[2], kind, len(values), int(offsets[0]))
    return [_constant(STRING), (kind, data), _constant(0)]


def _packed(fields: Sequence[Field], rows: int) -> Values:
    record = np.empty(rows, np.dtype([(f"f{i}", kind) for i, (kind, _) in enumerate(fields)]))
    for i, (_, values) in enumerate(fields):
        record[f"f{i}"] = values
    return _slices(record, np.arange(rows + 1, dtype=np.int64) * record.dtype.itemsize)


def _slices(data: Any, offsets: Numbers) -> Values:
    """Cut a buffer into binary values, without copying it."""
    return pa.Array.from_buffers(_BYTES, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _pieces(values: Values) -> Iterator[bytes | Values]:
    """Yield what makes up a column of values of several widths, to be joined row by row."""
    if pa.types.is_large_string(values.type) and not values.null_count:
        _refuse_nul(values)
        yield from (_STRING, values.cast(_BYTES), _NUL)
    elif values.null_count:
        yield pc.if_else(pc.is_valid(values), _encoded(values), pa.scalar(bytes([NULL]), _BYTES))
    else:
        yield _encoded(values)


def _encoded(values: Values) -> Values:
    """Return each value as type byte and content; what stands for a null is of no matter."""
    if _is_list(values.type):
        return _lists(values)
    if pa.types.is_large_string(values.type):
        _refuse_nul(values)
        return _element_wise([_STRING, pc.fill_null(values, "").cast(_BYTES), _NUL])
    code, numbers = _numbers(values)
    return _packed([_constant(code), (numbers.dtype, numbers)], len(values))


def _lists(values: Values) -> Values:
    lengths = _numpy(pc.list_value_length(values), "<i8")
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = _text(values.flatten())
    if flat.null_count:
        # the bulk call would take it, Cypher would not: what changes later could not be written
        raise Refused(_list_of(ends, _first(pc.is_null(flat))), "a list with a null inside")
    try:
        items = _encoded(flat)
    except Refused as refused:
        raise Refused(_list_of(ends, refused.row), str(refused)) from refused
    content = _slices(items.buffers()[2], np.ascontiguousarray(_offsets(items)[ends]))
    head = _packed([_constant(ARRAY), (np.dtype("<i8"), lengths)], len(values))
    return pc.binary_join_element_wise(head, content, pa.scalar(b"", _BYTES))


def _list_of(ends: Numbers, item: int) -> int:
    return int(np.searchsorted(ends, item, side="right")) - 1


def _numbers(values: Values) -> tuple[int, Numbers]:
    kind = values.type
    if pa.types.is_boolean(kind):
        return BOOL, _numpy(values.cast(pa.uint8()), "u1")
    if pa.types.is_signed_integer(kind):
        return LONG, _numpy(values, "<i8")
    if pa.types.is_floating(kind):
        numbers = _numpy(values, "<f8")
        if not np.isfinite(numbers).all():
            raise Refused(int(np.argmin(np.isfinite(numbers))), "a number that is not finite")
        return DOUBLE, numbers
    raise Refused(0, f"its type {kind} has no counterpart in a graph: cast it in the query")


def _numpy(values: Values, kind: str) -> Numbers:
    filled: Values = pc.fill_null(values, 0) if values.null_count else values
    numbers: Numbers = filled.to_numpy(zero_copy_only=False)
    return numbers.astype(kind, copy=False)


def _first(mask: Values) -> int:
    """Return the first row that is true, -1 where none is."""
    index: int = pc.index(mask, pa.scalar(True)).as_py()  # noqa: FBT003
    return index


def _refuse_nul(values: Values) -> None:
    offsets = _offsets(values)
    if np.frombuffer(values.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].all():
        return
    row = _first(pc.match_substring(values, "\0"))
    if row >= 0:
        raise Refused(row, "text with a NUL character")


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _offsets(values: Values) -> Numbers:
    return np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]


def _joined(pieces: Sequence[bytes | Values]) -> bytes:
    rows = _element_wise(pieces)
    offsets = _offsets(rows)
    return bytes(memoryview(rows.buffers()[2])[offsets[0] : offsets[-1]])


def _element_wise(pieces: Sequence[bytes | Values]) -> Values:
    """Join arrays and the constants between them; neighbouring constants count as one."""
    parts: list[Any] = []
    for piece in pieces:
        if isinstance(piece, bytes) and parts and isinstance(parts[-1], bytes):
            parts[-1] += piece
        else:
            parts.append(piece)
    scalars = [pa.scalar(part, _BYTES) if isinstance(part, bytes) else part for part in parts]
    return scalars[0] if len(scalars) == 1 else pc.binary_join_element_wise(*scalars, pa.scalar(b"", _BYTES))
