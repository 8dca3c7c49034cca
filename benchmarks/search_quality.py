"""How good a search is: nDCG@10 and recall@10 on labelled questions, hybrid beside vectors alone and words alone.

nDCG after Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (TOIS 2002), gain 2^grade - 1,
discount log2(rank + 1). Which documents are relevant is decided in `search_questions.py`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmarks.metrics import Metric
from benchmarks.search_questions import LANGUAGES, Labelled
from resources.stores import lancedb
from sonik_assets.serving.fusion import fuse
from sonik_assets.serving.question import Question
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection

    from resources.settings import Settings

TOP = 10
CANDIDATES = 100

type Ranking = Sequence[str]
type Way = Callable[[Labelled], Ranking]
"""From a question to document ids, best first."""


def ndcg(ranking: Ranking, relevant: Mapping[str, int], top: int = TOP) -> float:
    """Return the discounted gain of the first `top`, as a share of the best that there could be: 0 to 1."""
    best = _gain(sorted(relevant.values(), reverse=True)[:top])
    return _gain([relevant.get(id, 0) for id in ranking[:top]]) / best if best else 0.0


def _gain(grades: Iterable[int]) -> float:
    return sum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall(ranking: Ranking, relevant: "Collection[str]", top: int = TOP) -> float:
    """Return the share of the relevant ones that the first `top` hold; of more than `top`, `top` are all there is."""
    found = len(set(ranking[:top]) & set(relevant))
    return found / min(top, len(relevant)) if relevant else 0.0


def scores(questions: Sequence[Labelled], way: Way) -> list[tuple[Labelled, float, float]]:
    """Ask every question; return it with its nDCG and its recall."""
    asked = ((each, way(each)) for each in questions)
    return [(each, ndcg(found, each.relevant), recall(found, each.relevant)) for each, found in asked]


def measures(settings: "Settings", questions: Sequence[Labelled]) -> Iterator[Metric]:
    """Yield nDCG and recall of the search, over all and by language; the yardstick is the better of the two alone."""
    ways = {"hybrid": hybrid(settings), "vector_only": vector_only(settings), "text_only": text_only(settings)}
    found = {name: scores(questions, way) for name, way in ways.items()}
    for language in (None, *LANGUAGES):
        suffix = f"_{language}" if language else ""
        for at, measure in ((1, "ndcg"), (2, "recall")):
            means = {name: _mean(rows, at, language) for name, rows in found.items()}
            best = max(means["vector_only"], means["text_only"])
            yield Metric(f"search_{measure}_at_10{suffix}", means["hybrid"], "share", best)
            for name in ("vector_only", "text_only"):
                yield Metric(f"search_{measure}_at_10{suffix}_{name}", means[name], "share")


def _mean(rows: Sequence[tuple[Any, ...]], at: int, language: str | None) -> float:
    return fmean([row[at] for row in rows if language in (None, row[0].language)] or [0.0])


def table(settings: "Settings", questions: Sequence[Labelled]) -> list[tuple[str, int, float, float, float]]:
    """Return (kind of question, how many, nDCG of the search, of vectors alone, of words alone), for the docs."""
    ways = (hybrid(settings), vector_only(settings), text_only(settings))
    found = [scores(questions, way) for way in ways]
    kinds = dict.fromkeys(each.about for each in questions)
    rows = []
    for about in kinds:
        means = [fmean(row[1] for row in each if row[0].about == about) for each in found]
        rows.append((about, sum(each.about == about for each in questions), *means))
    return rows


def hybrid(settings: "Settings") -> Way:
    """Return the search as staff asks it, without the cache."""
    from sonik_assets.serving.scope import Staff
    from sonik_assets.serving.search import search

    return lambda each: [
        row["id"] for row in search(settings, Staff(), each.text, limit=TOP, cached=False, **each.filters)
    ]


def vector_only(settings: "Settings") -> Way:
    """Return the ranking by distance of meaning, over all tables."""
    from resources.encoders import encoder

    tables, model = _tables(settings), encoder(settings)

    def near(each: Labelled) -> Ranking:
        vector = model.encode([each.text])[0]
        queries = (
            table.search(vector, vector_column_name="vector").distance_type("cosine").refine_factor(2)
            for table in tables.values()
        )
        return _documents(queries, each, "_distance", 1)

    return near


def text_only(settings: "Settings") -> Way:
    """Return the ranking by words (BM25 over the stemmed texts), over all tables."""
    tables = _tables(settings)

    def worded(each: Labelled) -> Ranking:
        queries = (table.search(each.text, query_type="fts", fts_columns="text") for table in tables.values())
        return _documents(queries, each, "_score", -1)

    return worded


def _tables(settings: "Settings") -> dict[str, Any]:
    database = lancedb.connect(settings.lancedb_uri)
    return {name: database.open_table(name) for name in TABLES}


def _documents(queries: Iterable[Any], each: Labelled, by: str, sign: int) -> Ranking:
    """Return documents, each once, by a column of the rows that the queries find."""
    condition = Question(each.text, **each.filters).condition()
    rows: list[dict[str, Any]] = []
    for query in queries:
        chosen = query.select(["id", "document_id", by])
        rows += (chosen.where(condition, prefilter=True) if condition else chosen).limit(CANDIDATES).to_list()
    rows.sort(key=lambda row: (sign * row[by], row["id"]))
    return list(dict.fromkeys(row["document_id"] for row in rows))


def plain_fusion(settings: "Settings") -> Way:
    """Return reciprocal rank fusion of both rankings, and nothing else: what a reranker has to beat."""
    ways = vector_only(settings), text_only(settings)
    return lambda each: list(fuse([way(each) for way in ways]))


def overlap(approximate: Ranking, exact: Ranking, top: int = TOP) -> float:
    """Return the share of the exact `top` that the approximate `top` holds."""
    return len(set(approximate[:top]) & set(exact[:top])) / max(1, len(exact[:top]))
