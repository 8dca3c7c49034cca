"""Reads Twenty's webhooks: are they Twenty's, and which record do they say to read again.

Here: signatures and marks, pure. The record inside a webhook is never taken as data: its shape is not the REST API's.
How files are read is in exports.py, how marked records are in twenty.py. A line is `{received_at, headers, body}`,
`body` being the text that was signed. Its age does not matter: an old one, sent again, only has a record read again.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import msgspec
import polars as pl

from resources.settings import Settings
from resources.sources import Request, exports
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable

RELATIONS = {
    "person": "raw_twenty.people",
    "company": "raw_twenty.companies",
    "opportunity": "raw_twenty.opportunities",
}
SIGNATURE, TIMESTAMP = "x-twenty-webhook-signature", "x-twenty-webhook-timestamp"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Line(msgspec.Struct):
    headers: Any = None
    body: Any = None


class _Meta(msgspec.Struct, rename="camel"):
    name_singular: str


class _Record(msgspec.Struct):
    id: str


class _Body(msgspec.Struct, rename="camel"):
    object_metadata: _Meta
    record: _Record


_line, _body = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Body)


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:
    """Yield the stored webhooks. With TWENTY_WEBHOOK_SECRET set, those it did not sign are rejected."""
    secret = settings.twenty_webhook_secret
    for batch in exports.read(settings, table, request):
        yield replace(batch, rows=verified(batch.rows, secret)) if secret else batch


def ids(settings: Settings, table: SourceTable) -> Iterator[list[str]]:
    """Raise NotImplementedError: what was sent once is nowhere listed."""
    return exports.ids(settings, table)


def touched(settings: Settings, table: SourceTable, since: datetime) -> list[date]:
    """Raise NotImplementedError: what came lately, the landing zone's listing tells."""
    return exports.touched(settings, table, since)


def verified(rows: pl.DataFrame, secret: str) -> pl.DataFrame:
    """Return the rows with a reason for each that the secret did not sign; a reason that was there stays."""
    found = [
        reason or verify(payload or "", secret) for payload, reason in rows.select("payload", "reason").iter_rows()
    ]
    return rows.with_columns(reason=pl.Series(found, dtype=pl.String))


def marks(rows: pl.DataFrame, secret: str | None) -> list[tuple[str, str]]:
    """Return relation and record id of what is to be read again, each once, sorted.

    Only what the secret signed marks anything: nothing without a secret. Asks the signature again, so that rows from
    anywhere may be given.
    """
    if not secret:
        return []
    good = rows.filter(pl.col("reason").is_null() & pl.col("payload").is_not_null())["payload"]
    return sorted({found for line in good if not verify(line, secret) and (found := mark(line))})


def verify(line: str | bytes, secret: str) -> str | None:
    """Return why the line is not Twenty's; None where it is: HMAC-SHA256, hex, of "{timestamp}:{body}"."""
    try:
        stored = _line.decode(line)
    except (msgspec.MsgspecError, UnicodeError):
        return "signature does not match: the line is no JSON object"
    if not isinstance(stored.body, str):
        return "signature does not match: body is not the text that was sent; store the raw body"
    given = stored.headers if isinstance(stored.headers, dict) else {}
    headers = {str(name).lower(): str(value) for name, value in given.items()}
    missing = next((name for name in (SIGNATURE, TIMESTAMP) if not headers.get(name)), None)
    if missing:
        return f"signature does not match: header {missing} is missing"
    signed = hmac.new(secret.encode(), f"{headers[TIMESTAMP]}:{stored.body}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signed.encode(), headers[SIGNATURE].strip().lower().encode()):
        return "signature does not match: body, timestamp or TWENTY_WEBHOOK_SECRET is another"
    return None


def mark(line: str | bytes) -> tuple[str, str] | None:
    """Return relation and id of the record that the line is about; None of an object that is not read."""
    try:
        body = _body.decode(_line.decode(line).body)
    except (msgspec.MsgspecError, UnicodeError, TypeError):
        return None
    relation, record_id = RELATIONS.get(body.object_metadata.name_singular), body.record.id.lower()
    return (relation, record_id) if relation and _UUID.fullmatch(record_id) else None
