"""How far a class stands out from the others: the anomaly index, and where it gets significant."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikedoor.rng import generator

__all__ = ["anomaly", "critical"]

_NORMAL = 1.4826  # standard deviation of a normal law in units of its MAD
_DRAWS = 20_000


def anomaly(values: ArrayLike) -> NDArray[np.float64]:
    """Return how many robust standard deviations each value lies above the median.

    (v - median) / (1.4826 MAD), with the mean of the two middle values as the median of an even
    number. Where more than half of the values are equal, the others stand out without bound; the
    index is then very large, yet finite.

    Shapes:
        values and result: [..., K].
    """
    given = np.asarray(values, dtype=np.float64)
    above = given - np.median(given, -1, keepdims=True)
    spread = _NORMAL * np.median(np.abs(above), -1, keepdims=True)
    scale = np.abs(given).max(-1, keepdims=True)
    return above / np.maximum(spread, 1e-9 * np.where(scale > 0, scale, 1.0))


@cache
def critical(classes: int, alarms: float = 0.05) -> float:
    """Return the index that the largest of K normal values exceeds with a given probability.

    With few classes the MAD is noisy, so that it is far above what a normal table says: 2 is
    exceeded by the largest of ten values in about every second model. By simulation, always with
    the same draws.
    """
    drawn = generator(0, "null of the anomaly index").standard_normal((_DRAWS, classes))
    return float(np.quantile(anomaly(drawn).max(1), 1 - alarms))
