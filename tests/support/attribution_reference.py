"""Attribution in plain Python, to hold the marts against: another way to the same numbers, not a copy of the SQL."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

Visit = tuple[str, float]  # channel, hours before the purchase


def visits_of(touches: list[tuple[str, int]]) -> list[Visit]:
    """Return visits in the order of time: without a pause of over 30 minutes, over one channel, it is one."""
    ordered = sorted(enumerate(touches), key=lambda each: (-each[1][1], each[0]))
    visits: list[Visit] = []
    last: tuple[str, int] | None = None
    for _, touch in ordered:
        if last is None or touch[0] != last[0] or last[1] - touch[1] > 2:
            visits.append((touch[0], touch[1] / 4))
        last = touch
    return visits


def _removal_effects(won: list[list[str]], lost: list[list[str]]) -> dict[str, float]:
    """Return effects by solving the chain once with everybody and once without each channel; self-loops stay."""
    steps: Counter[tuple[str, str]] = Counter()
    for end, paths in (("won", won), ("lost", lost)):
        for path in paths:
            states = ["start", *path, end]
            steps.update(pairwise(states))
    names = sorted({name for step in steps for name in step} - {"won", "lost"})

    def conversion(without: str | None) -> float:
        q, r = np.zeros((len(names), len(names))), np.zeros(len(names))
        for (start, end), times in steps.items():
            if start == without:
                continue
            p = times / sum(n for (other, _), n in steps.items() if other == start)
            if end == "won":
                r[names.index(start)] += p
            elif end not in ("lost", without):
                q[names.index(start), names.index(end)] += p
        return float(np.linalg.solve(np.eye(len(names)) - q, r)[names.index("start")])

    total = conversion(None)
    return {name: 1 - conversion(name) / total for name in names if name != "start"}


def _shares(visits: list[Visit], effects: dict[str, float]) -> dict[str, list[float]]:
    """Return each visit's share under each model."""
    n, channels = len(visits), [channel for channel, _ in visits]
    decay = [0.5 ** (hours / 24 / 7) for _, hours in visits]
    markov = [effects[channel] / channels.count(channel) for channel in channels]
    return {
        "first": [1.0] + [0.0] * (n - 1),
        "last": [0.0] * (n - 1) + [1.0],
        "linear": [1 / n] * n,
        "time_decay": [weight / sum(decay) for weight in decay],
        "position": [1 / n] * n if n < 3 else [0.4, *[0.2 / (n - 2)] * (n - 2), 0.4],
        "markov": [weight / sum(markov) for weight in markov],
    }


def expected_conversions(journeys: list[list[Visit]], lost: list[list[Visit]]) -> dict[tuple[str, str], float]:
    """Return conversions by model and channel."""
    effects = _removal_effects([_channels(j) for j in journeys if j], [_channels(j) for j in lost])
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for visits in journeys:
        named = visits or [("direct", 0.0)]
        for name, shares in _shares(named, effects if visits else {"direct": 1}).items():
            for (channel, _), share in zip(named, shares, strict=True):
                sums[name, channel] += share
    return {key: value for key, value in sums.items() if value > 0}


def _channels(visits: list[Visit]) -> list[str]:
    return [channel for channel, _ in visits]
