"""Finds an organizer's own entities by name: of those its role reads kind and name only. Reads PostgreSQL as that role.

Nothing else of an entity may decide whether it is found, or where: a filter or a rank tells of what is not shown.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sonik_assets.serving import search_scope
from sonik_assets.serving.fusion import fuse
from sonik_assets.serving.lexicon import EMPTY
from sonik_assets.serving.question import Question
from sonik_assets.serving.scope import Organizer, Scope, scoped
from sonik_assets.serving.wording import Wording, alike, words_of

if TYPE_CHECKING:
    from resources.settings import Settings

MOST = 30
"""Entities that are ranked anew, beside the candidates of the vector tables."""
NAMED = """
select id::text, entity_type, name from unified.entities
where entity_type <> 'event' and name <> '' and entity_type = coalesce(%s, entity_type)
"""

type _Named = tuple[str, str, str]


def named(settings: "Settings", scope: Scope, question: Question, wording: Wording) -> list[dict[str, Any]]:
    """Return an organizer's entities as candidates, at most MOST, the best named first; of other scopes none.

    A filter on what they may not be known by (city, genre, date) finds none.
    """
    filters = (question.city, question.genre, question.date_from, question.date_to)
    if not isinstance(scope, Organizer) or any(filters):
        return []
    with search_scope.reading(settings) as pg, scoped(pg, scope) as own:
        rows: list[_Named] = own.execute(NAMED, [question.kind or None]).fetchall()
    shared = _shared(wording, rows)
    best = sorted(rows, key=lambda row: (-shared[row[0]], row[1] not in wording.kinds, row[2], row[0]))[:MOST]
    ids = [id for id, *_ in best]
    # Three rankings place what a table holds: one would find any row, two those that share a word with the question.
    sharing = [id for id in ids if shared[id]]
    scores = fuse([ids, sharing, sharing])
    return [_candidate(*row, scores[row[0]]) for row in best]


def _shared(wording: Wording, rows: Iterable[_Named]) -> dict[str, int]:
    """Return by id how many words a name shares with the question."""
    words = {id: frozenset(words_of(name)) for id, _, name in rows}
    asked = [word for word in wording.words if word not in EMPTY]
    meant = {word for word in frozenset[str]().union(*words.values()) if any(alike(word, each) for each in asked)}
    return {id: len(each & meant) for id, each in words.items()}


def _candidate(id: str, kind: str, name: str, fused: float) -> dict[str, Any]:
    words = " ".join(words_of(name))
    known = {"id": id, "document_id": id, "kind": kind, "name": name, "text": name, "name_words": words}
    unknown = dict.fromkeys(("city", "city_key", "local_date", "genre_keys"))
    return {**known, **unknown, "parts": [words], "table": "entities", "near": 0.0, "fused": fused}
