"""Candidates of one query -> the place, or why a person must look. Pure; what is sure enough is decided here alone."""

import json
from dataclasses import dataclass
from typing import Literal

from resources.places import Place, Query, metres
from sonik_assets.identity.normalize.addresses import house_number, street_words
from sonik_assets.identity.normalize.text import alike, fold, name_key

DOUBTED_METRES = 1_000.0
"""A namesake farther away is one only at the address that was asked for: chains have a branch in the next quarter."""

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
    """Return why the place may be another one: its name is unlike, it is too far away, or in another city.

    Where coordinates can be compared they tell, not the city: suburbs are named in many ways. A query that says
    neither where it is nor in which city is answered by a namesake anywhere (`nowhere`).
    """
    if not alike(name_key(query.name), name_key(place.name)):
        return "name"
    apart = metres(query, place)
    if apart is not None:
        return "far" if apart > DOUBTED_METRES and not _one_house(query, place) else None
    if _other_house(query, place):
        return "address"
    if not query.city:
        return "nowhere" if place.address or place.city else None
    return None if _in_city(fold(query.city), place) else "city"


def _one_house(query: Query, place: Place) -> bool:
    if not query.address or not place.address:
        return False
    number = house_number(query.address)
    ours, theirs = (set(street_words(text).split()) for text in (query.address, place.address))
    return number is not None and number == house_number(place.address) and not ours.isdisjoint(theirs)


def _other_house(query: Query, place: Place) -> bool:
    """Tell whether both name a house, and not one: all that is known of where it is speaks against it."""
    told = all(text and house_number(text) for text in (query.address, place.address))
    return told and not _one_house(query, place)


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
