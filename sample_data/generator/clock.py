"""How sources write the start of an event: with offset, local without offset, or the date alone.

Here: text forms of a time. Not here: which time it is.
"""

import random
from datetime import datetime


def start_text(at: datetime, dice: random.Random) -> str:
    """Return the start as a source writes it; the date alone only if it is the evening's own date."""
    chance = dice.random()
    if chance < 0.62:
        return at.isoformat(timespec="seconds")
    if chance < 0.92 or at.hour < 6:
        return at.replace(tzinfo=None).isoformat(timespec="seconds")
    return at.date().isoformat()
