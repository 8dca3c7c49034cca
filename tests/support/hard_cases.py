"""Records that are right, and have once stopped a whole run. They lie beside the sample's in files of their own."""

import gzip
import json
from pathlib import Path

from tests.support import exports

OLD = "2026-09-01T10:00:00.000Z"
AT = {"$date": "2026-10-20T20:00:00Z"}


def add(folder: Path) -> None:
    """Write them into a folder of exports that holds users and events."""
    event = _first(folder / "directus/events.ndjson.gz")["id"]
    article = _first(folder / "directus/articles.ndjson.gz")["id"]
    swapped = {"id": "swapped", "name": "Coordenadas al Revés", "latitude": -99.1, "longitude": 19.4}
    exports.write(folder, "directus/venues.ndjson", {**swapped, "date_created": OLD})
    fan = {"_id": "hard-fan", "email": "fan@hard.example", "createdAt": {"$date": OLD}, "updatedAt": {"$date": OLD}}
    exports.write(folder, "mongo/users.ndjson", fan)
    share = {"kind": "share", "userId": "hard-fan", "channel": "whatsapp", "eventId": event, "at": AT}
    exports.write(
        folder,
        "mongo/engagement.ndjson",
        {**share, "_id": "hard-share-1"},
        {**share, "_id": "hard-share-2", "contentId": article},  # one fan, one event, twice: one edge
        {"_id": "hard-use", "kind": "feature_use", "userId": "hard-fan", "properties": {"feature": 1}, "at": AT},
    )
    sale = {"userId": "hard-fan", "eventId": event, "currency": "MXN", "status": "completed", "updatedAt": AT}
    exports.write(folder, "mongo/transactions.ndjson", {**sale, "_id": "hard-sale", "amount": -50})


def _first(path: Path) -> dict[str, str]:
    with gzip.open(path, "rt") as lines:
        return dict(json.loads(next(lines)))
