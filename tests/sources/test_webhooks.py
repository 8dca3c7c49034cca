"""Twenty's webhooks: signed over the raw body, and good for one thing, to name a record that is to be read again."""

import hashlib
import hmac
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.settings import ROOT, Settings
from resources.sources import Request, webhooks
from resources.sources.catalogue import table

SECRET = "whs-5f0c-secret"  # noqa: S105  # of nothing but these tests
ID = "3f1c2a54-8b0e-4c7d-9a11-5d2e6f708192"
TABLE = table("twenty.webhooks")


def body(kind: str = "person", id: object = ID, **record: Any) -> str:
    text = {"eventName": f"{kind}.updated", "objectMetadata": {"id": "m", "nameSingular": kind}}
    return json.dumps({**text, "record": {"id": id, **record}}, ensure_ascii=False)


def signed(text: str, secret: str = SECRET, timestamp: str = "1789211771216") -> str:
    return hmac.new(secret.encode(), f"{timestamp}:{text}".encode(), hashlib.sha256).hexdigest()


def line(text: Any, prefix: str = "X-Twenty-Webhook-", **changed: Any) -> str:
    signature = signed(text) if isinstance(text, str) else ""
    headers = {f"{prefix}Signature": signature, f"{prefix}Timestamp": "1789211771216"}
    said = {"received_at": "2026-11-01T10:00:00.000Z", "headers": headers, "body": text, **changed}
    return json.dumps(said, ensure_ascii=False)


def read(folder: Path, *lines: str, secret: str | None = SECRET) -> pl.DataFrame:
    path = folder / "landing/webhooks/twenty/2026-11.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(each + "\n" for each in lines))
    os.utime(path, (0, 0))  # long settled
    settings = replace(Settings.from_env({"SONIK_EXPORTS": str(folder)}), twenty_webhook_secret=secret)
    return pl.concat([batch.rows for batch in webhooks.read(settings, TABLE, Request())])


# -- signatures


@pytest.mark.parametrize("prefix", ["X-Twenty-Webhook-", "x-twenty-webhook-", "X-TWENTY-WEBHOOK-"])
def test_header_names_are_in_any_case(prefix: str) -> None:
    assert webhooks.verify(line(body(), prefix), SECRET) is None


@given(st.text(), st.text(min_size=1))
def test_any_text_is_verified_as_it_was_sent(text: str, secret: str) -> None:
    text, secret = (each.encode("utf-8", "replace").decode() for each in (text, secret))
    headers = {"x-twenty-webhook-signature": signed(text, secret), "x-twenty-webhook-timestamp": "1789211771216"}
    for ascii_only in (True, False):
        stored = json.dumps({"headers": headers, "body": text}, ensure_ascii=ascii_only)
        assert webhooks.verify(stored, secret) is None
        assert webhooks.verify(stored, secret + "x")


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (line(body(), headers={}), "header x-twenty-webhook-signature is missing"),
        (line(body(), headers=None), "header x-twenty-webhook-signature is missing"),
        (line(body(), headers={"X-Twenty-Webhook-Signature": signed(body())}), "webhook-timestamp is missing"),
        (line(json.loads(body())), "store the raw body"),
        (line(body()).replace("1789211771216", "1789211771217"), "TWENTY_WEBHOOK_SECRET is another"),
        (line(body()).replace(ID, ID.replace("3f1c", "4f1c")), "body, timestamp or"),
        (line(body(), body=body() + " "), "body, timestamp or"),
        ('{"body":"', "no JSON object"),
        ("[]", "no JSON object"),
    ],
)
def test_what_was_changed_or_cut_does_not_match(stored: str, says: str) -> None:
    reason = webhooks.verify(stored, SECRET) or ""
    assert reason.startswith("signature does not match: ")
    assert says in reason
    assert SECRET not in reason
    assert signed(body()) not in reason


def test_the_sample_is_signed() -> None:
    lines = (ROOT / "sample_data/landing/webhooks/twenty/2026-11.ndjson").read_text().splitlines()
    assert [webhooks.verify(each, "sonik-sample") for each in lines] == [None] * 8
    assert {found[0] for each in lines if (found := webhooks.mark(each))} == {"raw_twenty.people"}


# -- marks


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (body("person"), ("raw_twenty.people", ID)),
        (body("company"), ("raw_twenty.companies", ID)),
        (body("opportunity", ID.upper()), ("raw_twenty.opportunities", ID)),
        (body("task"), None),
        (body(id="../x"), None),
        (body(id=7), None),
        (body(id=None), None),
        ("{}", None),
        ("[1]", None),
        ("not JSON", None),
    ],
)
def test_mark(text: str, marked: tuple[str, str] | None) -> None:
    assert webhooks.mark(line(text)) == marked


def test_only_good_and_signed_lines_mark_and_each_record_once(tmp_path: Path) -> None:
    other = "b7d9e0f1-2233-4455-8677-8899aabbccdd"
    rows = read(tmp_path, line(body()), line(body()), line(body(id=other), headers={}), line(body("task")), "{")
    assert webhooks.marks(rows, SECRET) == [("raw_twenty.people", ID)]
    assert webhooks.marks(rows, "another") == []
    assert webhooks.marks(rows, None) == []


# -- reading


def test_lines_that_the_secret_did_not_sign_are_rejected(tmp_path: Path) -> None:
    rows = read(tmp_path, line(body()), line(body(), headers={}), "{")
    good, unsigned, broken = rows["reason"]
    assert good is None
    assert unsigned == "signature does not match: header x-twenty-webhook-signature is missing"
    assert broken == "not a JSON object"


def test_without_a_secret_lines_are_kept(tmp_path: Path) -> None:
    rows = read(tmp_path, line(body()), line(body(), headers={}), secret=None)
    assert rows["reason"].to_list() == [None, None]


def test_the_line_is_kept_as_it_was_stored(tmp_path: Path) -> None:
    stored = line(body(name={"firstName": "Ñ"}))
    assert read(tmp_path, stored)["payload"].to_list() == [stored]


def test_what_was_sent_once_cannot_be_asked_for() -> None:
    with pytest.raises(NotImplementedError):
        webhooks.ids(Settings.from_env({}), TABLE)
    with pytest.raises(NotImplementedError):
        webhooks.touched(Settings.from_env({}), TABLE, datetime.now(UTC))
