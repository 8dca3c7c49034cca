"""Cuts a small exports folder from the sample: fewer events, fans and engagement, still every label and edge type.

The truth tells which scraped records speak of the events, venues and artists that are kept.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tests.support import exports

SAMPLE = Path(__file__).parents[2] / "sample_data"
WHOLE_KEYS = {"directus": {"id"}, "mongo": {"_id"}, "twenty": {"id"}}
WHOLE = ("brands", "concepts", "feature_flags", "markets")
EVENTS, USERS, VISITS, ARTICLES, COMPANIES, SESSIONS = 70, 100, 400, 30, 25, 260
BROKEN = {
    "not a JSON object": '{"id": "cut in half", "name": "Ñan',
    "name: expected text": '{"id": "no name", "name": {"es": "Wrong"}, "date_created": "2026-10-01T00:00:00Z"}',
    "missing key id": '{"name": "Nameless key", "date_created": "2026-10-01T00:00:00Z"}',
}
"""What a dead letter's reason holds -> a line of directus/venues that ends as one."""

Row = dict[str, Any]


CODE = {
    "__init__": "",
    "tickets": "from band import prices\n",
    "prices": "",
    "seats": "from band import tickets, prices\n",
}
"""The modules of a package `band`, which the features are said to be made of."""


def write_code(folder: Path) -> Path:
    """Write a small Python tree for the knowledge graph and return its folder."""
    (folder / "band").mkdir()
    for name, text in CODE.items():
        (folder / "band" / f"{name}.py").write_text(text)
    return folder


def cut(folder: Path) -> Path:
    """Write the small folder and return it."""
    Cut(folder).write()
    return folder


@dataclass
class Cut:
    """The choice: events that sell most, then everything that belongs to them."""

    folder: Path

    def write(self) -> None:
        """Write every file."""
        self._directus()
        self._mongo()
        self._twenty()
        for path in sorted((SAMPLE / "landing").glob("*/*/*.ndjson.gz")):
            feed, provider = path.parts[-3:-1]
            self._keep(f"landing/{feed}/{provider}/{path.name}", lambda row, feed=feed: self._seen(feed, row))
        for name in ("sonik.public.venues", "sonik.shop.users"):
            self._keep(f"debezium/{name}.ndjson", lambda _: True)
        self._keep("landing/webhooks/twenty/2026-11.ndjson", lambda _: True)
        self._keep("places.ndjson.gz", lambda _: True)
        self._keep("claims.ndjson", lambda row: row.get("user_id") in self.users)
        exports.write(self.folder, "agent/sessions.ndjson", *self._sessions())

    @cached_property
    def events(self) -> dict[str, Row]:
        """The events with most transactions."""
        sold = Counter(row.get("eventId") for row in rows("mongo/transactions.ndjson.gz"))
        best = {id for id, _ in sold.most_common(EVENTS)}
        return {row["id"]: row for row in rows("directus/events.ndjson.gz") if row["id"] in best}

    @cached_property
    def venues(self) -> set[str]:
        """Where they take place."""
        return {row.get("venue") for row in self.events.values()}

    @cached_property
    def artists(self) -> set[str]:
        """Who plays there."""
        return {each["artists_id"] for row in self.events.values() for each in row.get("artists") or []}

    @cached_property
    def users(self) -> set[str]:
        """Buyers, those who claim a venue, artist or brand, and those who manage one."""
        sales = [row for row in rows("mongo/transactions.ndjson.gz") if row.get("eventId") in self.events]
        buyers = islice(dict.fromkeys(row["userId"]["$oid"] for row in sales if row.get("userId")), USERS)
        things = self.venues | self.artists | {row["id"] for row in rows("directus/brands.ndjson")}
        claimants = {
            row.get("user_id") for row in rows("claims.ndjson") if str(row.get("entity_ref")).split("/")[-1] in things
        }
        kept = [
            row for name in ("venues", "artists") for row in rows(f"directus/{name}.ndjson.gz") if row["id"] in things
        ]
        emails = {row.get("manager_email") for row in kept} - {None}
        managers = {row["_id"]["$oid"] for row in rows("mongo/users.ndjson.gz") if row.get("email") in emails}
        return {*buyers, *claimants, *managers}

    @cached_property
    def things(self) -> set[str]:
        """The true things that are kept."""
        kept = (("venues", self.venues), ("artists", self.artists), ("events", self.events))
        refs = (f"directus/{name}/{id}" for name, ids in kept for id in ids)
        return {TRUTH[ref] for ref in refs if ref in TRUTH}

    def _seen(self, feed: str, row: Row) -> bool:
        return TRUTH.get(f"scraper/{feed}/{row.get('provider')}:{row.get('external_id')}") in self.things

    def _directus(self) -> None:
        for name in WHOLE:
            self._keep(f"directus/{name}.ndjson", lambda _: True)
        self._keep("directus/campaigns.ndjson", lambda _: True)
        features = [{**row, "modules": ["band.tickets", "band.seats"]} for row in rows("directus/features.ndjson")]
        exports.write(self.folder, "directus/features.ndjson", *features)
        self._keep("directus/scrape_jobs.ndjson.gz", lambda _: True)
        self._keep("directus/events.ndjson.gz", lambda row: row["id"] in self.events)
        self._keep("directus/artists.ndjson.gz", lambda row: row["id"] in self.artists)
        venues = [row for row in rows("directus/venues.ndjson.gz") if row["id"] in self.venues]
        exports.write(self.folder, "directus/venues.ndjson.gz", *venues, *BROKEN.values())
        articles = islice(rows("directus/articles.ndjson.gz"), ARTICLES)
        exports.write(self.folder, "directus/articles.ndjson.gz", *articles)

    def _mongo(self) -> None:
        mine = [row for row in rows("mongo/users.ndjson.gz") if row["_id"]["$oid"] in self.users]
        exports.write(self.folder, "mongo/users.ndjson.gz", *mine)
        sales = [row for row in rows("mongo/transactions.ndjson.gz") if self._bought(row)]
        exports.write(self.folder, "mongo/transactions.ndjson.gz", *sales)
        ids = {row["_id"]["$oid"] for row in sales}
        self._keep("mongo/tickets.ndjson.gz", lambda row: (row.get("transactionId") or {}).get("$oid") in ids)
        devices = {id for row in mine for id in row.get("anonymousIds") or []}
        exports.write(self.folder, "mongo/engagement.ndjson.gz", *self._engagement(devices))

    def _bought(self, row: Row) -> bool:
        return row.get("eventId") in self.events and (row.get("userId") or {}).get("$oid") in self.users

    def _engagement(self, devices: set[str]) -> Iterator[Row]:
        """Yield what these people did: all that is rare, and the first visits."""
        articles = {row["id"] for row in islice(rows("directus/articles.ndjson.gz"), ARTICLES)}
        visits = 0
        for row in rows("mongo/engagement.ndjson.gz"):
            known = (row.get("userId") or {}).get("$oid") in self.users or row.get("anonymousId") in devices
            if not known or row.get("eventId", next(iter(self.events))) not in self.events:
                continue
            common = (
                row.get("kind") in ("page_view", "ticket_click", "sign_in") and row.get("contentId") not in articles
            )
            visits += common
            if not common or visits <= VISITS:
                yield row

    def _twenty(self) -> None:
        companies = list(islice(rows("twenty/companies.ndjson.gz"), COMPANIES))
        exports.write(self.folder, "twenty/companies.ndjson.gz", *companies)
        ids = {row["id"] for row in companies}
        for name in ("people.ndjson.gz", "opportunities.ndjson"):
            self._keep(f"twenty/{name}", lambda row: row.get("companyId") in ids)

    def _sessions(self) -> Iterator[Row]:
        """Yield the first lines, and every memory, which are rare."""
        lines = list(rows("agent/sessions.ndjson"))
        yield from chain(lines[:SESSIONS], (row for row in lines[SESSIONS:] if row.get("kind") == "memory"))

    def _keep(self, name: str, wanted: Callable[[Row], bool]) -> None:
        exports.write(self.folder, name, *filter(wanted, rows(name)))


def rows(name: str) -> Iterator[Row]:
    """Yield the records of a file of the sample that are whole: JSON objects with their key."""
    path = SAMPLE / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and WHOLE_KEYS.get(name.split("/")[0], set()) <= row.keys():
                yield row


TRUTH = {row["ref"]: row["thing"] for row in rows("truth/records.ndjson.gz")}
"""Record -> true thing."""
