"""Which known user an anonymous visitor is, and from when to when: the rules, and people's decisions about them.

Rules: docs/visitors.md. Who the users are is `settle.py`'s; `unified.interactions` joins what visitors did to them.
"""

from sonik_assets.identity.visitors.decisions import DECISIONS, TABLES, recompute, redo, undo, undone
from sonik_assets.identity.visitors.rules import EVIDENCE, PAIR, SPANS, USERS, spans

__all__ = [
    "DECISIONS", "EVIDENCE", "PAIR", "SPANS", "TABLES", "USERS", "recompute", "redo", "spans", "undo", "undone",
]  # fmt: skip
