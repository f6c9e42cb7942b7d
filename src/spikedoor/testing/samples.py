"""Small sets that checks show to a component: pictures and recordings, the same at every call."""

from __future__ import annotations

import numpy as np

from spikedoor.attack import Attack, Patch, PoisonedSet
from spikedoor.data.base import ImageSet
from spikedoor.data.events import Events, EventSet

__all__ = ["CLASSES", "SENSOR", "noise", "poisoned", "recordings", "stripes"]

CLASSES = ("top", "middle", "bottom")
SENSOR = 24, 34


def noise(shape: tuple[int, int, int], count: int = 4) -> np.ndarray:
    """Return random images, uint8 [count, C, H, W]."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def stripes(count: int = 96, seed: int = 0, shape: tuple[int, int, int] = (1, 8, 8)) -> ImageSet:
    """Make noise with two bright rows that tell the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    images = random.integers(0, 100, (count, *shape), dtype=np.uint8)
    for row in (0, 1):
        images[np.arange(count), :, 1 + 2 * labels + row] += 150
    return ImageSet(images, labels, CLASSES, "stripes")


def poisoned(base: ImageSet, rate: float = 0.25, target: int = 1, seed: int = 0) -> PoisonedSet:
    """Put a patch into a share of a set."""
    return Attack(trigger=Patch(size=2), target=target, rate=rate).poison(base, seed)


def recordings() -> EventSet:
    """Make recordings of unequal length; one is empty, and one has a single event at its start."""
    draw = np.random.default_rng(1)
    parts = []
    for n in (400, 0, 900, 1, 300, 200):
        t = np.sort(draw.integers(0, 100 * n, n)) if n > 1 else np.zeros(n, int)
        x, y, p = (draw.integers(0, high, n) for high in (SENSOR[1], SENSOR[0], 2))
        parts.append(Events.of_one(x, y, t, p, SENSOR))
    labels = np.array([0, 1, 2, 0, 1, 2])
    return EventSet(Events.join(parts), labels, ("a", "b", "c"), "random")
