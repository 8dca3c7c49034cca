"""BSON -> relaxed extended JSON: the same as `bson.json_util.dumps`, several times as fast.

Pure. Here: documents as they come over the wire, and their text. What is asked of MongoDB is in mongo.py.
The fast way is a C decoder and a C encoder; what either cannot say exactly goes the slow way, through json_util.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import bson
import orjson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON

_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
"""Times without a zone are UTC (cheaper to make than aware ones); those that Python cannot hold stay numbers."""
_LENIENT: CodecOptions[dict[str, Any]] = _EXACT.with_options(unicode_decode_error_handler="replace")
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS  # Code is a str, Int64 an int
_SIZE = 4


def split(stream: bytes) -> Iterator[bytes]:
    """Yield the documents that follow each other in `stream`, each beginning with its own length."""
    position = 0
    while position < len(stream):
        size = int.from_bytes(stream[position : position + _SIZE], "little")
        yield stream[position : position + size]
        position += size


def text(document: bytes) -> bytes:
    """Return the document as one line of relaxed extended JSON, in UTF-8, its fields in their order.

    Bytes that are not UTF-8 become U+FFFD, as mongoexport writes them. Raises bson.errors.InvalidBSON.
    """
    try:
        found = bson.decode(document, _EXACT)
    except InvalidBSON:
        found = bson.decode(document, _LENIENT)
    if _may_be_infinite(document) and _has_infinite(found):
        return _slowly(found)
    try:
        return orjson.dumps(found, _default, _OPTIONS)
    except orjson.JSONEncodeError:
        return _slowly(found)


def _slowly(document: dict[str, Any]) -> bytes:
    return json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False).encode()


def _may_be_infinite(document: bytes) -> bool:
    """Whether it may hold NaN or an infinity, whose last byte is one of these: no text has it, few numbers do."""
    return b"\x7f" in document or b"\xff" in document


def _has_infinite(value: Any) -> bool:
    """Whether there is a double anywhere that JSON cannot write (orjson would write null)."""
    if value.__class__ is float:
        return not math.isfinite(value)
    if value.__class__ is dict:
        return any(map(_has_infinite, value.values()))
    return value.__class__ is list and any(map(_has_infinite, value))


def _default(value: Any) -> Any:
    """Return what stands for a value that JSON does not have."""
    if value.__class__ is bson.ObjectId:
        return {"$oid": value.binary.hex()}
    if value.__class__ is datetime and value.year >= 1970:
        return {"$date": value.isoformat(timespec="milliseconds" if value.microsecond else "seconds") + "Z"}
    return json_util.default(value, json_util.RELAXED_JSON_OPTIONS)
