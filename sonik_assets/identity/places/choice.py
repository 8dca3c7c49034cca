"""Candidates of one query -> the place, or why a person must look. Pure; what is sure enough is decided here alone."""

import json
from dataclasses import dataclass
from typing import Literal

from resources.places import FAR_METRES, Place, Query, metres
from sonik_assets.identity.normalize.text import alike, fold, name_key

type Status = Literal["found", "ambiguous", "doubtful", "none"]
type Doubt = Literal["name", "far", "city", "nowhere"]


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
    """Return why the place may be another one: its name is unlike, it is more than 5 km away, or in another city.

    Where coordinates can be compared they tell, not the city: suburbs are named in many ways. A query that says
    neither where it is nor in which city is answered by a namesake anywhere (`nowhere`).
    """
    if not alike(name_key(query.name), name_key(place.name)):
        return "name"
    apart = metres(query, place)
    if apart is not None:
        return "far" if apart > FAR_METRES else None
    if not query.city:
        return "nowhere" if place.address or place.city else None
    return None if _in_city(fold(query.city), place) else "city"


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
