"""The world as a whole: how many of each thing at a scale, and the way to each of them.

Here: counts and look-ups that several sources share. Not here: any record.
"""

import math
from collections.abc import Iterator
from functools import cached_property

from .cast import Artist, Brand, Organizer, true_artists, true_brands, true_organizers
from .nights import Night, Programme
from .people import Person, person
from .venues import Venue, true_venues

PEOPLE, EVENTS, STRANGERS, ARTICLES = 2020, 840, 2000, 96


class World:
    """A world at a scale: people, events and strangers grow with it, the cast with its root."""

    def __init__(self, scale: float) -> None:
        branches = max(1, round(math.sqrt(scale)))
        self.people_count = max(40, int(PEOPLE * scale))
        self.event_count = max(80, int(EVENTS * scale))
        self.article_count = max(8, int(ARTICLES * scale))
        self.stranger_count = max(20, int(STRANGERS * scale))
        self.venues: list[Venue] = true_venues(branches)
        self.artists: list[Artist] = true_artists(branches, self.venues)
        self.organizers: list[Organizer] = true_organizers(branches, self.venues)
        self.brands: list[Brand] = true_brands()
        self._programme = Programme(self.venues, self.artists, self.organizers)

    def person(self, number: int) -> Person:
        """Return the person of that number, counted round."""
        return person(number % self.people_count, self.venues)

    def people(self) -> Iterator[Person]:
        """Make every person once, in order."""
        return (person(number, self.venues) for number in range(self.people_count))

    def nights(self) -> Iterator[Night]:
        """Make every event once, in order."""
        return (self._programme.night(number) for number in range(self.event_count))

    def night(self, number: int) -> Night:
        """Return the event of that number."""
        return self._programme.night(number)

    @cached_property
    def known_venues(self) -> list[Venue]:
        """Venues that Directus holds."""
        return [venue for venue in self.venues if venue.directus_id]
