"""Answers that need two graphs: a query reads one graph, so ids of the first are looked up in the second.

A reference is what an agent wrote, and may hold anything: its graph and label are checked against the schema before
they are in a query.
"""

from typing import Any

from sonik_assets.graph.schema import LABELS
from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.scope import Staff

UNKNOWN = "some references name no node that is there: it is gone, or was never there"
_KNOWN = {(label.graph, label.name) for label in LABELS}
_PERSONAL = {"Person", "Ticket", "Purchase"}
"""What belongs to one person: agents do not get it."""


def touched(asked: Asking) -> Answer:
    """Return what a session's queries touched, most often asked first, each with the name it has in its own graph."""
    texts = [row for row in asked.rows() if all(isinstance(row[column], str) for column in ("graph", "label", "id"))]
    found = [row for row in texts if (row["graph"], row["label"]) in _KNOWN]
    if not isinstance(asked.scope, Staff):
        found = [row for row in found if row["label"] not in _PERSONAL]
    names = _names(asked, found)
    rows = [
        {"graph": row["graph"], "label": row["label"], "name": names[row["graph"], row["label"], row["id"]]}
        | {"queries": row["queries"], "id": row["id"]}
        for row in found
        if (row["graph"], row["label"], row["id"]) in names
    ]
    return Answer(rows, (UNKNOWN,) if len(rows) < len(found) else ())


def _names(asked: Asking, found: list[dict[str, Any]]) -> dict[tuple[str, str, str], str]:
    names: dict[tuple[str, str, str], str] = {}
    for graph, label in sorted({(row["graph"], row["label"]) for row in found}):
        ids = [row["id"] for row in found if (row["graph"], row["label"]) == (graph, label)]
        text = (
            f"UNWIND $ids AS id MATCH (thing:{label} {{id: id}})"
            " RETURN id, coalesce(thing.name, thing.title, thing.path, thing.tier, thing.text) AS name"
        )
        names |= {(graph, label, row["id"]): row["name"] for row in asked.rows(text, graph=graph, ids=ids)}
    return names
