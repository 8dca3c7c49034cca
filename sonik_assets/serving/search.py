"""Hybrid search over the vector tables: by meaning and by words, ranked by what the question names (docs/search.md).

What is searchable is decided in `vectors.documents`, where candidates come from in `candidates`, how they are ranked in
`reranking`, who may find what in `search_scope` and `search_names`; how an answer is kept, in `answers`.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any

from sonik_assets.serving import answers, search_names, search_scope
from sonik_assets.serving.candidates import Place, Sought, both, candidates
from sonik_assets.serving.question import Question
from sonik_assets.serving.reranking import rerank
from sonik_assets.serving.scope import Scope
from sonik_assets.serving.vector_tables import comparable, open_tables, together
from sonik_assets.serving.wording import read

if TYPE_CHECKING:
    from resources.encoders import Vectors
    from resources.settings import Settings

SNIPPET = 200
VERSION = 4
"""Raised when the same data would give another answer, so that kept answers are left behind."""

_ENCODING = ThreadPoolExecutor(2, "encoding")
"""Where a question is encoded while the tables are opened."""

Hits = list[dict[str, Any]]


def search(
    settings: "Settings",
    scope: Scope,
    text: str,
    *,
    city: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    genre: str | None = None,
    kind: str | None = None,
    limit: int = 10,
    cached: bool = True,
) -> Hits:
    """Return the best matches, best first: id, kind, name, text (a snippet), city, local_date, score, table.

    A filter on a date leaves events only: nothing else has one. `id` is a record's. Raises TerminalError for a text
    that is none, for what is no scope, and before the first run.
    """
    search_scope.admit(scope)
    question = Question(
        whole(text), city and whole(city), date_from, date_to, genre and whole(genre), kind and whole(kind), limit
    )
    asked = answers.Asked(
        "search",
        question.prompt,
        question.terms(VERSION, settings.embedder, settings.embedder_model),
        str(scope),
        json.dumps(question.arguments(), ensure_ascii=False),
    )

    def make(vector: "Vectors | None") -> answers.Made:
        rows = hits(settings, scope, question, vector)
        cites = answers.cited([row["document_id"] for row in rows], question.limit)
        return answers.Made([_shown(row) for row in rows], cites)

    found: Hits = answers.answer(settings, asked, lambda: encoded(settings, question), make, cached=cached).value
    return found


def whole(text: str) -> str:
    """Return the text with `?` for each half of a character (a lone surrogate), which no store takes."""
    return text.encode(errors="replace").decode()


def encoded(settings: "Settings", question: Question) -> "Vectors":
    """Return the question's unit vector, shape (384,)."""
    from resources.encoders import encoder

    vector: Vectors = encoder(settings).encode([question.text])[0]
    return vector


def hits(settings: "Settings", scope: Scope, question: Question, vector: "Vectors | None") -> Hits:
    """Search all tables; return the rows that the scope sees, with their whole texts, `document_id` and `score`."""
    from resources.encoders import encoder

    model = encoder(settings).model_id
    encoding = _ENCODING.submit(encoded, settings, question) if vector is None else None
    tables = open_tables(settings)
    held = {name: opened.holding for name, opened in tables.items()}
    places = {
        name: Place(
            tables[name].table,
            both(reach.condition, question.condition()),
            reach.holds,
            comparable(name, held[name], model),
        )
        for name, reach in search_scope.reach(settings, scope, held).items()
    }
    if encoding and any(place.comparable for place in places.values()):
        vector = encoding.result()
    # Of no other tables than the scope's: that a city is known would tell of what may not be seen.
    wording = read(question.text, together(place.holds for place in places.values()))
    found = candidates(places, Sought(question.text, wording, vector)) if places else []
    ranked = rerank(wording, [*found, *search_names.named(settings, scope, question, wording)])
    rows = [{**row, "score": round(score, 6)} for score, row in ranked[: question.limit]]
    return [search_scope.told(scope, row) for row in search_scope.seen(settings, scope, rows)]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    day = row["local_date"]
    return {
        "id": row["document_id"],
        **{name: row[name] for name in ("kind", "name", "city")},
        "text": row["text"][:SNIPPET],
        "local_date": day.isoformat() if day else None,
        "score": row["score"],
        "table": row["table"],
    }
