"""The indexes of a LanceDB table of documents: which there are, when one pays, when it is made again.

Rows outside of an index are found all the same, by looking at each: nothing is ever missed, only slower.
"""

from typing import TYPE_CHECKING, Any

from lancedb.index import FTS, Bitmap, BTree, HnswSq, LabelList

if TYPE_CHECKING:
    from lancedb.table import Table

VECTOR_ROWS = 10_000
"""Rows above which a vector index pays: looking at each of 10,000 takes some 10 ms, at 100,000 over 100."""
VECTOR_OUTSIDE, WORDS_OUTSIDE = 20_000, 500
"""Rows outside of an index above which it is brought up to date. Words are indexed within a second for 100,000 rows;
a vector index takes a minute, so that is left to the upkeep until it hurts."""

WORDS: dict[str, Any] = {
    "text": FTS(language="Spanish", stem=True, remove_stop_words=True, ascii_folding=True),
    # Portuguese is stemmed before accents are folded, and a name is no word of any language: neither is stemmed here.
    "text_folded": FTS(stem=False, remove_stop_words=False, ascii_folding=True),
}
# None on `id`: with one, the declared key no longer keeps two merges from inserting the same row.
SCALARS: dict[str, Any] = {
    "document_id": BTree(),
    "kind": Bitmap(),
    "city_key": Bitmap(),
    "local_date": BTree(),
    "genre_keys": LabelList(),
}


def ensure(table: "Table") -> None:
    """Have every index that pays, and few rows outside of it; does nothing where that already holds."""
    rows = table.count_rows()
    if not rows:
        return  # an index over nothing is forgotten at once
    outside = {index.columns[0]: index.num_unindexed_rows or 0 for index in table.list_indices()}
    for column, config in WORDS.items():
        if outside.get(column, WORDS_OUTSIDE) >= WORDS_OUTSIDE:
            table.create_index(column, config=config, replace=True)
    for column, config in SCALARS.items():
        if column not in outside:
            table.create_index(column, config=config)
    if rows >= VECTOR_ROWS and outside.get("vector", VECTOR_OUTSIDE) >= VECTOR_OUTSIDE:
        table.create_index("vector", config=HnswSq(distance_type="cosine"), replace=True)


def bring_up_to_date(table: "Table") -> None:
    """Have every row in every index, and small files made one. Minutes at a million rows."""
    ensure(table)
    table.optimize()
