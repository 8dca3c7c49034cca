"""Change data capture: Debezium envelopes for Directus venues and shop users, and Twenty's webhooks.

Here: envelopes, deletes, late and repeated updates. Not here: the records themselves.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import cast

from .crm import contact
from .directus import venue_item
from .mongo import user
from .seeds import DAYS, START, iso, new_uuid, object_id, rng
from .truth import Truth
from .world import World
from .writers import Exports

VENUES, USERS = "debezium/sonik.public.venues", "debezium/sonik.shop.users"
SIGNED_WITH = b"sonik-sample"


def write_changes(world: World, exports: Exports, truth: Truth) -> None:
    """Write both topics and the webhooks."""
    _venues(world, exports, truth)
    _users(world, exports)
    _webhooks(world, exports)


def _venues(world: World, exports: Exports, truth: Truth) -> None:
    for number in range(12):
        venue = world.known_venues[number * 7 % len(world.known_venues)]
        at = START + timedelta(days=62 + number * 2, minutes=number)
        item = venue_item(venue, world)
        changed = {**item, "capacity": venue.capacity + 10, "date_updated": iso(at)}
        exports.write(VENUES, _row_change("u", {"id": item["id"]}, changed, at))
        if number % 4 == 0:
            # The older change is delivered after the newer one.
            older = {**item, "name": "Nombre anterior", "date_updated": iso(at - timedelta(days=1))}
            exports.write(VENUES, _row_change("u", {"id": item["id"]}, older, at - timedelta(days=1)))
    for number in range(6):
        gone = new_uuid("debezium", "venue", number)
        at = START + timedelta(days=20 + number * 10)
        made = {
            "id": gone,
            "status": "draft",
            "name": f"Sala Fugaz {number}",
            "city": "Puebla",
            "country": "MX",
            "date_created": iso(at),
            "date_updated": None,
        }
        exports.write(VENUES, _row_change("c", None, made, at))
        truth.record(f"directus/venues/{gone}", "venue", f"venue-fugaz-{number}")
        if number % 2 == 0:
            exports.write(VENUES, _row_change("d", {"id": gone}, None, at + timedelta(days=3)))
    exports.raw(VENUES, '{"before":null,"after":{"id":"')


def _users(world: World, exports: Exports) -> None:
    for number in range(10):
        person = world.person(number * 20 + 1)
        at = START + timedelta(days=DAYS - 5, hours=number)
        account = {**user(person, world), "city": person.city.name, "updatedAt": {"$date": iso(at)}}
        exports.write(USERS, _document_change("u", None, account, at))
    for number in range(4):
        at = START + timedelta(days=30 + number)
        gone = {
            "_id": {"$oid": object_id(at, 800_000 + number)},
            "email": f"baja{number}@correo.example",
            "anonymousIds": [],
            "createdAt": {"$date": iso(at)},
            "updatedAt": {"$date": iso(at)},
        }
        exports.write(USERS, _document_change("c", None, gone, at))
        exports.write(USERS, _document_change("d", {"_id": gone["_id"]}, None, at + timedelta(days=2)))


def _row_change(op: str, before: object, after: object, at: datetime) -> dict[str, object]:
    source = {"connector": "postgresql", "db": "directus", "schema": "public", "table": "venues"}
    return _envelope(op, before, after, at, source)


def _document_change(op: str, before: object, after: object, at: datetime) -> dict[str, object]:
    source = {"connector": "mongodb", "db": "shop", "collection": "users"}
    texts = [json.dumps(value, ensure_ascii=False) if value else None for value in (before, after)]
    return _envelope(op, texts[0], texts[1], at, source)


def _envelope(op: str, before: object, after: object, at: datetime, source: dict[str, str]) -> dict[str, object]:
    millis = int(at.timestamp() * 1000)
    about = {"version": "3.0.0.Final", "name": "sonik", "ts_ms": millis, "snapshot": "false", **source}
    return {
        "before": before,
        "after": after,
        "source": about,
        "op": op,
        "ts_ms": millis + 180,
        "transaction": None,
    }


def _webhooks(world: World, exports: Exports) -> None:
    for number in range(8):
        person = world.person(number * 10 + 9)
        record = contact(person, world)
        at = datetime.fromisoformat(cast(str, record["updatedAt"])).astimezone(UTC)
        body = json.dumps(
            {
                "targetUrl": "https://hooks.sonik.example/twenty",
                "eventName": "person.updated",
                "objectMetadata": {"id": new_uuid("meta", "person"), "nameSingular": "person"},
                "workspaceId": new_uuid("workspace"),
                "webhookId": new_uuid("webhook"),
                "eventDate": iso(at),
                "record": record,
                "updatedFields": ["jobTitle"],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        exports.write(
            "landing/webhooks/twenty/2026-11",
            {
                "received_at": iso(at + timedelta(seconds=1)),
                "headers": _headers(body, at, number),
                "body": body,
            },
        )


def _headers(body: str, at: datetime, number: int) -> dict[str, str]:
    millis = str(int(at.timestamp() * 1000))
    signature = hmac.new(SIGNED_WITH, f"{millis}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "X-Twenty-Webhook-Signature": signature,
        "X-Twenty-Webhook-Timestamp": millis,
        "X-Twenty-Webhook-Nonce": f"{rng('nonce', number).getrandbits(64):016x}",
    }
