"""Candidates of one query -> the place, or why a person must look. Pure; what is sure enough is decided here alone."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from resources.places import Place, Query, metres
from sonik_assets.identity.normalize.addresses import house_number, street_words
from sonik_assets.identity.normalize.text import ALIKE, fold, name_key

DOUBTED_METRES = 1_000.0
"""A namesake farther away is one only at the address that was asked for: chains have a branch in the next quarter."""
DOOR_METRES = 100.0
"""So near it is at the same door, whatever house either side names: coordinates are of the door or of the block."""
TELLING_WORDS = 2
"""A name within another one is that one if it is of so many words: many places are called `Restaurante ...`."""
_LIST = (files("sonik_assets.identity.matching") / "words" / "parts.txt").read_text(encoding="utf-8")
_PARTS = frozenset(word for line in _LIST.splitlines() if not line.startswith("#") for word in line.split())

type Status = Literal["found", "ambiguous", "doubtful", "none"]
type Doubt = Literal["name", "far", "address", "city", "nowhere"]


@dataclass(frozen=True)
class Choice:
    """`place_id` where the status is found; `answer`: the candidates (place_id, name, address, metres, doubt), JSON."""

    status: Status
    place_id: str | None
    answer: str


def choose(query: Query, candidates: list[Place]) -> Choice:
    """Take the only candidate if it agrees; several are ambiguous, one that does not agree is doubtful."""
    doubts = [doubt(query, place) for place in candidates]
    rows = [_row(query, place, why) for place, why in zip(candidates, doubts, strict=True)]
    answer = json.dumps(rows, ensure_ascii=False)
    if len(candidates) != 1:
        return Choice("ambiguous" if candidates else "none", None, answer)
    if doubts[0]:
        return Choice("doubtful", None, answer)
    return Choice("found", candidates[0].place_id, answer)


def doubt(query: Query, place: Place) -> Doubt | None:
    """Return why the place may be another one: name, distance, house or city do not agree.

    Where coordinates can be compared they tell, not the city: suburbs are named in many ways. A query that says
    neither where it is nor in which city is answered by a namesake anywhere (`nowhere`).
    """
    apart = metres(query, place)
    at_door = _one_house(query, place) or (apart is not None and apart <= DOOR_METRES)
    if not _one_name(name_key(query.name), name_key(place.name), at_door=at_door):
        return "name"
    if not at_door and apart is not None and apart > DOUBTED_METRES:
        return "far"
    if not at_door and _other_house(query, place):
        return "address"
    if apart is not None:
        return None
    if not query.city:
        return "nowhere" if place.address or place.city else None
    return None if _in_city(fold(query.city), place) else "city"


def _one_name(ours: str, theirs: str, *, at_door: bool) -> bool:
    """Tell whether two name keys are one name. Names of few words are within many others: those need the door too.

    A part of a house (its car park, its terrace) is not the house; and where words differ, these must be spellings of
    each other: `Sala 1` and `Sala 2` share most letters.
    """
    if not ours or not theirs:
        return False
    if ours == theirs:
        return True
    a, b = set(ours.split()), set(theirs.split())
    if not (a ^ b).isdisjoint(_PARTS):
        return False
    if a <= b or b <= a:
        return at_door or len(a & b) >= TELLING_WORDS
    return all(_spelled_alike(*pair) for pair in ((ours, theirs), (_words(a - b), _words(b - a))))


def _spelled_alike(left: str, right: str) -> bool:
    from rapidfuzz.fuzz import ratio

    return ratio(left, right, score_cutoff=ALIKE) > 0


def _words(words: set[str]) -> str:
    return " ".join(sorted(words))


def _one_house(query: Query, place: Place) -> bool:
    if not query.address or not place.address:
        return False
    number = house_number(query.address)
    return number is not None and number == house_number(place.address) and _one_street(query, place) is True


def _other_house(query: Query, place: Place) -> bool:
    """Tell whether both name a street, and not one house: all that is known of where it is speaks against it.

    Where one names no house, it may be any of its street.
    """
    if not query.address or not place.address or _one_house(query, place):
        return False
    numbers = {house_number(query.address), house_number(place.address)}
    return len(numbers - {None}) > 1 or _one_street(query, place) is False


def _one_street(query: Query, place: Place) -> bool | None:
    """Tell whether the streets have a word of their own in common; None where one names no street."""
    towns = {word for text in (query.city, place.city) if text for word in fold(text).split()}
    ours, theirs = (set(_street(text).split()) - towns for text in (query.address or "", place.address or ""))
    return not ours.isdisjoint(theirs) if ours and theirs else None


def _street(address: str) -> str:
    """Return the words of the address as far as the number of the house: after it come quarter, city and country."""
    parts = address.split(",")
    told = (",".join(parts[:end]) for end in range(1, len(parts) + 1))
    number = house_number(address)
    return street_words(next((text for text in told if house_number(text) == number), address))


def _in_city(city: str, place: Place) -> bool:
    """Look for the city as whole words; a place that says nothing of where it is contradicts nothing."""
    told = [fold(text) for text in (place.city, place.address) if text]
    return not told or any(f" {city} " in f" {text} " for text in told)


def _row(query: Query, place: Place, why: Doubt | None) -> dict[str, object]:
    apart = metres(query, place)
    return {
        "place_id": place.place_id,
        "name": place.name,
        "address": place.address,
        "metres": None if apart is None else round(apart),
        "doubt": why,
    }
