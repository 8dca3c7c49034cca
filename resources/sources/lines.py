"""Bytes -> lines: NDJSON, plain, gzip or zstd, and files that hold one JSON array. In bounded memory.

Knows formats. Nothing of tables, of windows or of where the bytes come from.
"""

import codecs
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import msgspec
import polars as pl

BATCH_ROWS = 20_000
BLOCK = 4 << 20
"""Bytes of text that are cut into lines at once."""
MOST = 64 << 20
"""Bytes of the longest line and of the largest file that is one JSON value."""
_ODD_SHARE = 0.1
_records = msgspec.json.Decoder(list[msgspec.Raw])
_record = msgspec.json.Decoder(dict[str, msgspec.Raw])


class UnreadableError(Exception):
    """What is wrong with a file. The lines before the fault have been given."""


def frames(file: BinaryIO, name: str, *, skip: int = 0, growing: bool = False) -> Iterator[pl.DataFrame]:
    r"""Yield the lines after the first `skip`: `row` (from 0) and `payload`; blank ones are left out.

    The name's endings say how it is packed. A byte that is not UTF-8 becomes `\xNN`, which is no JSON. Of a file that
    is `growing`, an unfinished end is left for the next time; of any other it raises UnreadableError.
    """
    row, packing = 0, name.rpartition(".")[2]
    try:
        for block in _blocks(_unpacked(file, packing), name, growing=growing):
            for frame in _framed(block, row):
                yield frame.filter((pl.col("row") >= skip) & (pl.col("payload").str.strip_chars() != ""))
                row += frame.height
    except UnreadableError:
        if not growing:
            raise


def _framed(block: bytes | list[bytes], row: int) -> Iterator[pl.DataFrame]:
    if isinstance(block, bytes):
        texts = block.decode("utf-8", "backslashreplace").removesuffix("\n").split("\n")
    else:
        texts = [record.decode() for record in block]
    lines = pl.DataFrame({"payload": texts}, {"payload": pl.String}).with_row_index("row", row)
    yield from lines.with_columns(pl.col("payload").str.strip_chars_end("\r")).iter_slices(BATCH_ROWS)


def _blocks(chunks: Iterator[bytes], name: str, *, growing: bool) -> Iterator[bytes | list[bytes]]:
    """Yield whole lines, about `BLOCK` bytes at once; of one JSON array its records."""
    rest, fault, first = b"", "", True
    while not fault and (chunk := _gathered(chunks)) is not None:
        data, fault = chunk
        if first:
            data, first = _text(data.removeprefix(codecs.BOM_UTF8)), False
            if ".json" in name and (whole := _whole(data, chunks, fault)) is not None:
                yield whole
                return
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = b""
        rest += data[cut:]
        if len(rest) > MOST:
            raise UnreadableError(f"a line of more than {MOST >> 20} MB")
    if rest and not fault and not (growing and _is_cut(rest)):
        yield rest
    if fault:
        raise UnreadableError(fault)


def _gathered(chunks: Iterator[bytes]) -> tuple[bytes, str] | None:
    """Return the next `BLOCK` bytes and what stopped them, if anything; None at the end."""
    parts: list[bytes] = []
    try:
        while sum(map(len, parts)) < BLOCK:
            parts.append(next(chunks))
    except StopIteration:
        return (b"".join(parts), "") if parts else None
    except UnreadableError as error:
        return b"".join(parts), str(error)
    return b"".join(parts), ""


def _text(data: bytes) -> bytes:
    """Return the beginning of a file if it is text at all."""
    head = data[:4096]
    odd = head.count(0) + head.decode("utf-8", "replace").count("\N{REPLACEMENT CHARACTER}")
    if odd > _ODD_SHARE * len(head) + 4:
        raise UnreadableError("not text in UTF-8")
    return data


def _whole(data: bytes, chunks: Iterator[bytes], fault: str) -> list[bytes] | None:
    """Return the records of a file that is one JSON array, or one object on several lines; None of any other."""
    is_array = data.lstrip()[:1] == b"["
    while is_array and not fault and len(data) <= MOST and (more := _gathered(chunks)) is not None:
        data, fault = data + more[0], more[1]
    if is_array and len(data) > MOST:
        raise UnreadableError(f"one JSON array of more than {MOST >> 20} MB: write a record a line (NDJSON)")
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return [_on_one_line(bytes(record)) for record in _records.decode(data)]
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        _record.decode(data)
        return [_on_one_line(data)]
    if is_array:
        raise UnreadableError(fault or "a JSON array that is cut off or broken")
    return None


def _on_one_line(record: bytes) -> bytes:
    record.decode()  # raises on what is not UTF-8
    return record.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in record else record


def _is_cut(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return False


def _unpacked(file: BinaryIO, packing: str) -> Iterator[bytes]:
    try:
        yield from {"gz": _gunzipped, "zst": _unzstd}.get(packing, _plain)(file)
    except OSError as error:
        raise UnreadableError(str(error)) from error


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(1 << 20):
        yield data


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    member, begun = zlib.decompressobj(31), False
    try:
        for data in _plain(file):
            while data:
                begun = True
                yield member.decompress(data, 1 << 20)
                data = member.unconsumed_tail
                if member.eof:  # another member may follow, or padding
                    data, member, begun = member.unused_data.lstrip(b"\0"), zlib.decompressobj(31), False
        yield member.flush()
    except zlib.error as error:
        raise UnreadableError(f"gzip: {error}") from error
    if begun and not member.eof:
        raise UnreadableError("gzip: unexpected end of file")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    import zstandard

    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
    try:
        while data := file.read(16 << 10):  # little at once: a few bytes can hold megabytes
            while data:
                begun = True
                yield frame.decompress(data)
                data = b""
                if frame.eof:
                    data, frame, begun = frame.unused_data, zstandard.ZstdDecompressor().decompressobj(), False
    except zstandard.ZstdError as error:
        raise UnreadableError(f"zstd: {error}") from error
    if begun:
        raise UnreadableError("zstd: unexpected end of file")
