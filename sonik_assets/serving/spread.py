"""How one event spread over its people, by generation.

Generation 0 shared, came or bought without having been referred by another of the event's people; each further one was
referred by somebody of the generation before. The graph has one referral a pair, over all events, so one to
another's event counts, too. That is why organizers get how many shared, came and bought, and no generations.
"""

import json
from typing import Any

from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.scope import Organizer

MOST = 50_000
"""People of an event, and referrals among them, that are looked at."""
NO_GENERATIONS = "referrals are not kept apart by event, so there are no generations for organizers"

REFERRED = """
UNWIND $people AS number
MATCH (person:Person) WHERE ID(person) = number
WITH person
MATCH (person)-[:REFERRED]->(brought)
WITH person, brought LIMIT $most
RETURN toJSON(collect(ID(person))) AS who, toJSON(collect(ID(brought))) AS whom
"""


def spread(asked: Asking) -> Answer:
    """Return a row a generation: people, how many of them shared, came, bought, and brought somebody.

    For an organizer one row: the same counts over everybody.
    """
    acts = {row["act"]: set(_numbers(row)) for row in asked.rows()}
    everybody = sorted(set().union(*acts.values()))
    if not everybody:
        return Answer([])
    if isinstance(asked.scope, Organizer):
        return Answer([_counts(set(everybody), acts)], (NO_GENERATIONS,))
    people = everybody[:MOST]
    who, whom = asked.lists(REFERRED, people=people, most=MOST)
    brought = _within(who, whom, set(people))
    rows = [_row(number, generation, acts, brought) for number, generation in enumerate(_generations(people, brought))]
    cut = len(everybody) > MOST or len(who) == MOST
    return Answer(rows, (f"only {MOST:,} people and referrals were looked at",) if cut else ())


def _numbers(row: dict[str, Any]) -> list[int]:
    found: list[int] = json.loads(row["people"])
    return found


def _within(who: list[int], whom: list[int], people: set[int]) -> dict[int, set[int]]:
    """Return whom each referred, of the event's own people."""
    brought: dict[int, set[int]] = {}
    for one, other in zip(who, whom, strict=True):
        if other in people and other != one:
            brought.setdefault(one, set()).add(other)
    return brought


def _generations(people: list[int], brought: dict[int, set[int]]) -> list[set[int]]:
    """Return the generations. A ring of referrals has no first one: whoever has the least number begins it."""
    left, referred = set(people), set[int]().union(*brought.values())
    found: list[set[int]] = []
    first = left - referred
    while left:
        generation, number = first or {min(left)}, 0
        while generation:
            left -= generation
            found += [set()] if number == len(found) else []
            found[number] |= generation
            generation = set[int]().union(*(brought.get(person, set()) for person in generation)) & left
            number += 1
        first = set()
    return found


def _row(number: int, generation: set[int], acts: dict[str, set[int]], brought: dict[int, set[int]]) -> dict[str, Any]:
    bringing = sum(1 for person in generation if person in brought)
    return {"generation": number, **_counts(generation, acts), "brought_others": bringing}


def _counts(people: set[int], acts: dict[str, set[int]]) -> dict[str, Any]:
    counts = {act: len(people & acts.get(act, set())) for act in ("shared", "came", "bought")}
    return {"people": len(people), **counts}
