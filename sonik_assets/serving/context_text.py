"""Facts as one text with numbered sources, within a number of tokens. Pure; which facts come first is `context`'s."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sonik_assets.serving.context_facts import Fact, Record

CHARACTERS = 3
"""Characters a token, for the budget: an estimate that is on the safe side for texts in Latin letters."""
HEAD = "\n\nSources:"


@dataclass(frozen=True)
class Written:
    """A context: its text, what each number stands for, and the ids of all records that it names."""

    text: str
    sources: tuple[Record, ...]
    tokens: int
    left_out: int
    names: frozenset[str]


def tokens_of(text: str) -> int:
    """Return about how many tokens a text is, rather too many than too few."""
    return math.ceil(len(text) / CHARACTERS)


def write(facts: Iterable[Fact], tokens: int) -> Written:
    """Write the facts in their order, as many as fit; one that does not is left out, and shorter ones may follow."""
    lines: list[str] = []
    numbers: dict[Record, int] = {}
    names: set[str] = set()
    left, left_out = tokens * CHARACTERS - len(HEAD), 0
    for fact in facts:
        known = fact.record in numbers
        number = numbers.get(fact.record, len(numbers) + 1)
        line = f"{fact.sentence} [{number}]"
        cost = len(line) + 1 + (0 if known else len(_source(number, fact.record)) + 1)
        if line in lines:
            continue
        if cost > left:
            left_out += 1
            continue
        left -= cost
        numbers[fact.record] = number
        lines.append(line)
        names |= fact.about
    text = (
        "\n".join(lines) + HEAD + "".join(f"\n{_source(n, record)}" for record, n in numbers.items()) if lines else ""
    )
    return Written(text, tuple(numbers), tokens_of(text), left_out, frozenset(names))


def _source(number: int, record: Record) -> str:
    behind = "; ".join(filter(None, (*record.records, record.url)))
    return f"[{number}] {record.table} {record.id} {record.name}" + (f" ({behind})" if behind else "")


def listed(written: Written) -> list[dict[str, Any]]:
    """Return the sources as JSON: n, table, id, name, records (source/table/id), url."""
    return [
        {"n": n, "table": each.table, "id": each.id, "name": each.name, "records": list(each.records), "url": each.url}
        for n, each in enumerate(written.sources, start=1)
    ]
