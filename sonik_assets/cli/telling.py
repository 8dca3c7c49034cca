"""How a judgement and a line of history read for people. Text only: what they mean is decided elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]

RECORDS_SHOWN = 3
"""Records named of a move of several."""
_SIGNS = {"same": "=", "different": "is not", "unsure": "may be"}
_METHODS = {
    "person": "a person's word",
    "reused_identifier": "given up by the one, then taken by the other, named unlike",
    "venue_merged": "their venues turned out to be one, and with it their event key",
}
"""Methods that are no scheme and no matcher's version; those speak for themselves."""
_SCHEMES = {"google_places_id": "Places id", "instagram_url": "Instagram", "source_id": "source id"}


def instant(at: datetime) -> str:
    """Return a time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def decided(row: Row) -> str:
    """Return who decided an alias, and why."""
    return ": ".join(filter(None, (row["decided_by"], row["reason"])))


def link(row: Row) -> dict[str, Any]:
    """Return a judgement's table row: both records, score, what was compared, who decided and when."""
    who = f"{row['decided_by']}, {row['decided_at'].astimezone(UTC):%Y-%m-%d}"
    return {"link": _pair(row), "score": row["score"], "compared": f"{compared(row)}\n{who}"}


def why(row: Row) -> str:
    """Return in a few words why a judgement was made: its reason, the value shared, else how it was made."""
    return "; ".join(_words(row)) or str(row["method"])


def compared(row: Row) -> str:
    """Return how two records were judged: why, and by a matcher what is alike and by how many bits."""
    each = row["explanation"].get("comparisons", [])
    levels = "; ".join(f"{one['name']} {one['level']} {one['bits']:+.1f}" for one in each)
    return "; ".join([*_words(row), f"{row['method']}: {levels}"]) if levels else why(row)


def happened(row: Row) -> str:
    """Return what a line of an entity's history says."""
    if row["what"] == "entity":
        into = {"merged": "\ninto ", "split": "\noff it "}.get(row["kind"], "")
        return f"{row['kind']} {row['entity_id']}{into}{row['new_id'] or ''}"
    if row["what"] == "records":
        records = row["records"]
        more = [f"and {len(records) - RECORDS_SHOWN} more"] if len(records) > RECORDS_SHOWN else []
        return "\n".join([*records[:RECORDS_SHOWN], *more, f"from {row['old_id']}", f"to {row['new_id']}"])
    if row["what"] == "retired":
        return f"no longer: {_pair(row)}\n(of {row['decided_by']})"
    return f"{_pair(row)}\n{compared(row)}; {row['decided_by']}, {row['score']:.3f}"


def _pair(row: Row) -> str:
    return f"{row['left_ref']}\n{_SIGNS[row['judgement']]} {row['right_ref']}"


def _words(row: Row) -> list[str]:
    told = row["explanation"]
    words = [str(told["reason"])] if told.get("reason") else []
    if row["method"] in _METHODS and not (words and row["method"] == "person"):
        words.append(_METHODS[row["method"]])
    if told.get("shared"):
        scheme = told["shared"]["scheme"]
        words.append(f"{_SCHEMES.get(scheme, scheme.replace('_', ' '))} {told['shared']['value']}")
    return words
