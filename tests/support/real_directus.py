"""A real Directus with the collections that the reader's tests use, written to over its API as its editors would.

The reader itself gets the token of a user that may only read, as docs and contract ask for.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3

from tests.support.directus_server import Relation

SCRIPT = Path(__file__).parents[2] / "scripts" / "directus_live.sh"
ADMIN, READER = "token-of-the-administrator", "token-of-the-reader"
UUID = {"special": ["uuid"]}, {"is_primary_key": True, "is_nullable": False}
NUMBER: tuple[dict[str, Any], dict[str, Any]] = {}, {"is_primary_key": True, "has_auto_increment": True}
COLLECTIONS = {"venues": {"latitude": "decimal"}, "artists": {}, "events": {"price_min": "decimal"}}
READ = (*COLLECTIONS, "events_artists", "directus_activity")


@contextmanager
def running(postgres: str, folder: Path) -> Iterator["RealDirectus"]:
    """Serve from an empty database, its URL that of a socket, and fill it with empty collections."""
    parts = urlsplit(postgres)
    database = {
        "DB_HOST": parse_qs(parts.query)["host"][0], "DB_PORT": "5432", "DB_DATABASE": parts.path.lstrip("/"),
        "DB_USER": parts.username or "postgres", "DB_PASSWORD": "unused", "ADMIN_TOKEN": ADMIN,
    }  # fmt: skip
    try:
        subprocess.run([SCRIPT, "start", folder], env=os.environ | database, check=True)
        directus = RealDirectus((folder / "url").read_text().strip())
        directus.set_up()
        yield directus
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=False)


class RealDirectus:
    """What `Cms` in tests/sources/test_directus.py asks for."""

    token = READER

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager(headers={"Authorization": f"Bearer {ADMIN}"})

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def insert(self, name: str, /, **values: Any) -> Any:
        return self.ask("POST", f"/items/{name}", values)["id"]

    def update(self, name: str, /, *ids: Any, **values: Any) -> None:
        self.ask("PATCH", f"/items/{name}", {"keys": ids, "data": values})

    def delete(self, name: str, id: Any, /) -> None:
        self.ask("DELETE", f"/items/{name}/{id}")

    def link(self, relation: Relation, other: str, ours: Any, theirs: Iterable[Any], /) -> None:
        self.ask("POST", f"/items/{relation.junction}", [{relation.ours: ours, other: each} for each in theirs])

    def clear(self) -> None:
        for name in ("events_artists", *COLLECTIONS):
            if ids := [row["id"] for row in self.ask("GET", f"/items/{name}?limit=-1&fields=id")]:
                self.ask("DELETE", f"/items/{name}", ids)

    def dump(self) -> dict[str, Any]:
        """Return all that a write would change: the records, and the log of who did what."""
        paths = [f"/items/{name}" for name in (*COLLECTIONS, "events_artists")] + ["/activity", "/revisions"]
        return {path: self.ask("GET", f"{path}?limit=-1&sort=id") for path in paths}

    def permit(self, collection: str, *fields: str) -> None:
        """Let the reader read these fields of the collection: none, nothing of it."""
        where = f'/permissions?filter={{"collection":{{"_eq":"{collection}"}},"policy":{{"_eq":"{self._policy}"}}}}'
        self.ask("DELETE", "/permissions", [row["id"] for row in self.ask("GET", where)] or [0])
        if fields:
            rule = {"policy": self._policy, "collection": collection, "action": "read", "fields": fields}
            self.ask("POST", "/permissions", rule)

    def set_up(self) -> None:
        for name, extra in COLLECTIONS.items():
            self._collection(name, _field("id", "uuid", *UUID), *_clocks(), *_fields(name="string", **extra))
        self._collection(
            "events_artists", _field("id", "integer", *NUMBER), *_fields(events_id="uuid", artists_id="uuid")
        )
        self.ask("POST", "/fields/events", _field("artists", "alias", {"special": ["m2m"]}, None))
        for ours, other, one in (("events_id", "artists_id", "artists"), ("artists_id", "events_id", None)):
            meta = {"one_field": one, "junction_field": other}
            relation = {"collection": "events_artists", "field": ours, "meta": meta, "schema": {"on_delete": "CASCADE"}}
            self.ask("POST", "/relations", {**relation, "related_collection": ours.removesuffix("_id")})
        self._policy = self.ask("POST", "/policies", {"name": "reads", "admin_access": False, "app_access": False})[
            "id"
        ]
        for name in READ:
            self.permit(name, "*")
        role = self.ask("POST", "/roles", {"name": "reader"})["id"]
        self.ask("POST", "/access", {"role": role, "policy": self._policy})
        self.ask("POST", "/users", {"email": "reader@example.com", "role": role, "token": READER})

    def _collection(self, name: str, *fields: dict[str, Any]) -> None:
        self.ask("POST", "/collections", {"collection": name, "schema": {}, "meta": {}, "fields": fields})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self.url + path, json=body) if body is not None else self._http.request(
            method, self.url + path
        )  # fmt: skip
        assert answer.status in (200, 204), f"{method} {path}: {answer.status} {answer.data[:500]!r}"
        return json.loads(answer.data)["data"] if answer.data else None


def _field(name: str, kind: str, meta: dict[str, Any], schema: dict[str, Any] | None) -> dict[str, Any]:
    return {"field": name, "type": kind, "meta": meta, "schema": schema}


def _fields(**kinds: str) -> list[dict[str, Any]]:
    return [_field(name, kind, {}, {}) for name, kind in kinds.items()]


def _clocks() -> list[dict[str, Any]]:
    names = ("date-created", "date-updated")
    return [_field(name.replace("-", "_"), "timestamp", {"special": [name]}, {}) for name in names]
