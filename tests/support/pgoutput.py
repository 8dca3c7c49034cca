"""pgoutput's messages written as bytes: the reverse of `sonik_assets.changes.pgoutput`, made from the manual."""

import struct

from sonik_assets.changes.pgoutput import (
    Begin,
    Commit,
    Delete,
    Insert,
    Logical,
    Message,
    Origin,
    Relation,
    Row,
    Truncate,
    Type,
    Update,
)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def row(values: Row) -> bytes:
    parts = [struct.pack(">h", len(values))]
    for value in values:
        if isinstance(value, str | bytes):
            data = value.encode() if isinstance(value, str) else value
            parts.append((b"t" if isinstance(value, str) else b"b") + struct.pack(">i", len(data)) + data)
        else:
            parts.append(b"n" if value is None else b"u")
    return b"".join(parts)


def encode(message: Message) -> bytes:
    """Write a message as the manual's "Logical Replication Message Formats" has it."""
    match message:
        case Begin(final, at, xid):
            return b"B" + struct.pack(">QqI", final, at, xid)
        case Commit(flags, lsn, end, at):
            return b"C" + struct.pack(">BQQq", flags, lsn, end, at)
        case Origin(lsn, name):
            return b"O" + struct.pack(">Q", lsn) + text(name)
        case Relation(oid, schema, name, identity, columns):
            head = b"R" + struct.pack(">I", oid) + text(schema) + text(name) + identity.encode()
            told = (bytes([c.is_key]) + text(c.name) + struct.pack(">Ii", c.type, c.modifier) for c in columns)
            return head + struct.pack(">h", len(columns)) + b"".join(told)
        case Type(oid, schema, name):
            return b"Y" + struct.pack(">I", oid) + text(schema) + text(name)
        case Insert() | Update() | Delete():
            return _change(message)
        case Truncate(options, relations):
            return b"T" + struct.pack(f">IB{len(relations)}I", len(relations), options, *relations)
        case Logical(is_transactional, lsn, prefix, content):
            head = b"M" + struct.pack(">BQ", is_transactional, lsn) + text(prefix)
            return head + struct.pack(">I", len(content)) + content


def _change(message: Insert | Update | Delete) -> bytes:
    relation = struct.pack(">I", message.relation)
    match message:
        case Insert(_, new):
            return b"I" + relation + b"N" + row(new)
        case Update(_, old_is, old, new):
            before = b"" if old is None else old_is.encode() + row(old)
            return b"U" + relation + before + b"N" + row(new)
        case Delete(_, old_is, old):
            return b"D" + relation + old_is.encode() + row(old)
