"""A small learnable set of recordings, for the tests of encodings, rules and studies on events."""

from __future__ import annotations

import numpy as np

from spikedoor.data.events import Events, EventSet

__all__ = ["SENSOR", "bands"]

SENSOR = 8, 9
_EVENTS = 60
_CLASSES = ("top", "middle", "bottom")


def bands(count: int = 96, seed: int = 0) -> EventSet:
    """Make recordings of noise in which two of three events lie in the rows that tell the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    shape = count, _EVENTS
    y = random.integers(0, SENSOR[0], shape)
    inside = random.random(shape) < 2 / 3
    y = np.where(inside, 2 * labels[:, None] + 1 + random.integers(0, 2, shape), y)
    events = Events(
        random.integers(0, SENSOR[1], shape).ravel().astype(np.uint16),
        y.ravel().astype(np.uint16),
        np.sort(random.integers(0, 100_000, shape)).ravel().astype(np.int32),
        random.integers(0, 2, shape).ravel().astype(np.uint8),
        np.arange(count + 1, dtype=np.int64) * _EVENTS,
        SENSOR,
    )
    return EventSet(events, labels, _CLASSES, "bands")
