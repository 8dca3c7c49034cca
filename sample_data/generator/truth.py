"""The answer key: which record is which true thing, for tests and benchmarks only.

Here: writing `truth/`. Not here: anything a stage of the platform may read.
"""

from .cast import Artist, Brand, Organizer
from .nights import Night
from .people import Person
from .seeds import iso
from .venues import Venue
from .writers import Exports


class Truth:
    """Writes records -> things, things with their clean values, and devices -> people."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports

    def record(self, ref: str, entity_type: str, thing: str) -> None:
        """Note that the record `ref` (source/table/record_id) is the true thing."""
        self._exports.write("truth/records", {"ref": ref, "entity_type": entity_type, "thing": thing})

    def device(self, anonymous_id: str, person: Person) -> None:
        """Note that the browser belongs to the person."""
        self._exports.write("truth/devices", {"anonymous_id": anonymous_id, "thing": person.key})

    def venue(self, venue: Venue) -> None:
        """Note the clean values of a venue."""
        self._thing(
            "venue",
            venue.key,
            venue.name,
            city=venue.city.name,
            country=venue.city.country,
            address=venue.address,
            latitude=venue.lat,
            longitude=venue.lng,
            instagram=venue.handle,
            old_instagram=venue.old_handle,
            parent_instagram=venue.parent_handle,
            google_place_id=venue.place_id,
            domain=venue.domain,
            phone=venue.phone,
        )

    def event(self, night: Night) -> None:
        """Note where and when an event really is, and when it was announced to be if it moved."""
        self._thing(
            "event",
            night.key,
            night.name,
            venue=night.venue.key,
            organizer=night.organizer.key,
            artists=[artist.key for artist in night.artists],
            starts_at=iso(night.starts),
            local_date=night.evening.isoformat(),
            timezone=night.venue.city.timezone,
            moved_from=iso(night.told_first) if night.told_first else None,
        )

    def member(self, entity_type: str, thing: Artist | Organizer | Brand) -> None:
        """Note the clean values of an artist, organization or brand."""
        self._thing(entity_type, thing.key, thing.name, instagram=thing.handle, domain=thing.domain)

    def person(self, person: Person) -> None:
        """Note the clean values of a person."""
        self._thing("person", person.key, person.name, email=person.email, instagram=person.handle, phone=person.phone)

    def _thing(self, entity_type: str, key: str, name: str, **values: object) -> None:
        self._exports.write("truth/things", {"thing": key, "entity_type": entity_type, "name": name, **values})
