"""Hybrid search over the vector tables: by meaning and by words, fused; from the cache where it can be.

What is searchable is decided in `vectors.documents`; how an answer is kept, in `answers`.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from resources.embedder import encoder
from resources.errors import TerminalError
from resources.stores import lancedb
from sonik_assets.serving import answers, query_log
from sonik_assets.serving.answers import Answer, spared
from sonik_assets.serving.fusion import fuse
from sonik_assets.serving.question import Question
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    from lancedb.table import Table

    from resources.embedder import Vectors
    from resources.settings import Settings

COLUMNS = ["id", "kind", "name", "text", "city", "local_date"]
SNIPPET = 200
CANDIDATES = 100
"""Rows taken from each ranking of each table before they are fused."""
VERSION = 1
"""Raised when the same data would give another answer, so that kept answers are left behind."""


def search(
    settings: "Settings",
    text: str,
    *,
    city: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    genre: str | None = None,
    kind: str | None = None,
    limit: int = 10,
    cached: bool = True,
) -> Answer:
    """Return the best matches, best first: id, kind, name, text (a snippet), city, local_date, score.

    A filter on a date leaves events only: nothing else has one. Raises TerminalError before the first run.
    """
    started = time.perf_counter()
    question = Question(text, city, date_from, date_to, genre, kind, limit)
    answer, hit = _ask(settings, question, cached=cached)
    query_log.record(settings, "search", question.text, (time.perf_counter() - started) * 1000, hit=hit)
    return answer


def _ask(settings: "Settings", question: Question, *, cached: bool) -> tuple[Answer, bool]:
    """Return the answer and whether it was a kept one."""
    tables = open_tables(settings)
    kept = answers.connect(settings, generation(tables)) if cached else None
    if kept and (found := spared(lambda: kept.exact(question))) is not None:
        return found, True
    vector = encoder(settings).encode([question.text])[0]
    if kept and (found := spared(lambda: kept.similar(question, vector))) is not None:
        return found, True
    answer = answer_of(tables, question, vector)
    if kept:
        spared(lambda: kept.keep(question, vector, answer))
    return answer, False


def open_tables(settings: "Settings") -> dict[str, "Table"]:
    """Return the vector tables that exist; raises TerminalError when there is none."""
    database = lancedb.connect(settings.lancedb_uri)
    present = set(lancedb.table_names(database))
    tables = {name: database.open_table(name) for name in TABLES if name in present}
    if not tables:
        raise TerminalError(f"LanceDB at {settings.lancedb_uri} holds no tables yet: run `sonik run` first")
    return tables


def generation(tables: Mapping[str, "Table"]) -> str:
    """Return a name for the present content of the tables: any write gives another."""
    # Versions alone would repeat when a table is dropped and built again; an index's id does not.
    parts = [
        (name, table.version, [index.index_uuid for index in table.list_indices()])
        for name, table in sorted(tables.items())
    ]
    return hashlib.sha256(json.dumps([VERSION, parts]).encode()).hexdigest()[:16]


def answer_of(tables: Mapping[str, "Table"], question: Question, vector: "Vectors") -> Answer:
    """Search all tables; distances and word scores are ranked across them before the two are fused."""
    condition = question.condition()
    near = [row for table in tables.values() for row in _near(table, vector, condition)]
    worded = [row for table in tables.values() for row in _worded(table, question.text, condition)]
    near.sort(key=lambda row: (row["_distance"], row["id"]))
    worded.sort(key=lambda row: (-row["_score"], row["id"]))
    scores = fuse([[row["id"] for row in ranking] for ranking in (near, worded)])
    rows = {row["id"]: row for row in (*near, *worded)}
    return [_result(rows[id], score) for id, score in list(scores.items())[: question.limit]]


def _near(table: "Table", vector: "Vectors", condition: str | None) -> list[dict[str, Any]]:
    query: Any = table.search(vector, vector_column_name="vector")
    query = query.distance_type("cosine")
    return _rows(query.select([*COLUMNS, "_distance"]), condition)


def _worded(table: "Table", text: str, condition: str | None) -> list[dict[str, Any]]:
    query = table.search(text, query_type="fts", fts_columns="text")
    return _rows(query.select([*COLUMNS, "_score"]), condition)


def _rows(query: Any, condition: str | None) -> list[dict[str, Any]]:
    filtered = query.where(condition, prefilter=True) if condition else query
    rows: list[dict[str, Any]] = filtered.limit(CANDIDATES).to_list()
    return rows


def _result(row: Mapping[str, Any], score: float) -> dict[str, Any]:
    day = row["local_date"]
    return {
        **{name: row[name] for name in ("id", "kind", "name", "city")},
        "text": row["text"][:SNIPPET],
        "local_date": day.isoformat() if day else None,
        "score": round(score, 6),
    }
