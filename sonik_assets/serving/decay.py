"""What age does to a weight: the one Cypher expression. Stored weights never change by age (docs/weights.md).

A query file writes `decayed(edge)` and has a parameter `half_life_days`; without one (`never`) the weight is as stored.
"""

import re

DECAYED = re.compile(r"\bdecayed\((\w+)\)")
AGE_DAYS = "($now_ms - {0}.timestamp + abs($now_ms - {0}.timestamp)) / 172800000.0"
"""Days since the edge's time, 0 for what is still to come: x + |x| is twice x or nothing."""
EXPRESSION = f"coalesce({{0}}.weight, 0.0) * 0.5 ^ coalesce({AGE_DAYS} / $half_life_days, 0)"


def expand(text: str) -> str:
    """Return Cypher with each `decayed(edge)` written out; it needs `$now_ms` and `$half_life_days` (days or null)."""
    return DECAYED.sub(lambda found: f"({EXPRESSION.format(found[1])})", text)
