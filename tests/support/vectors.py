"""Unit vectors that lie where a test wants them."""

import numpy as np

from resources.encoders import Vectors

RNG = np.random.default_rng(0)


def unit(near: Vectors | None = None, *, distance: float = 1.0) -> Vectors:
    """Return a random unit vector of 384 float32, or one at exactly this distance (1 - cosine) of another."""
    drawn = RNG.normal(size=384)
    if near is not None:
        aside = drawn - (drawn @ near) * near
        cosine = 1 - distance
        drawn = cosine * near + np.sqrt(1 - cosine**2) * aside / np.linalg.norm(aside)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)
