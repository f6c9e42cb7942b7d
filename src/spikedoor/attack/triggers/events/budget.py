"""What a trigger costs: events added, removed and moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikedoor.data.events import Events
from spikedoor.errors import ConfigError

__all__ = ["Budget", "budget"]


@dataclass(frozen=True)
class Budget:
    """Hold what tells triggered recordings from clean ones, as means over the recordings.

    Args:
        added: Events that are new.
        removed: Events that are gone.
        moved: Events of a pixel and polarity that are there at another time.
        per_second: Events added, removed or moved, for each second of all recordings.
        share: The same as a share of the clean events; 0 without any.
    """

    added: float
    removed: float
    moved: float
    per_second: float
    share: float


def budget(clean: Events, triggered: Events) -> Budget:
    """Compare recordings with what a trigger made of them.

    Raises:
        ConfigError: If they are not as many, or of different sensors.
    """
    if len(clean) != len(triggered) or clean.sensor != triggered.sensor or not len(clean):
        raise ConfigError(
            f"expected {len(clean)} recordings of {clean.sensor}, one or more, "
            f"got {len(triggered)} of {triggered.sensor}"
        )
    totals = np.zeros(3, np.int64)
    for i in range(len(clean)):
        totals += _changes(clean.take(np.array([i])), triggered.take(np.array([i])))
    added, removed, moved = (totals / len(clean)).tolist()
    changed = int(totals.sum())
    seconds = clean.durations.sum() / 1e6
    return Budget(
        added,
        removed,
        moved,
        per_second=float(changed / seconds) if seconds else 0.0,
        share=changed / len(clean.x) if len(clean.x) else 0.0,
    )


def _changes(before: Events, after: Events) -> tuple[int, int, int]:
    """Return the events added, removed and moved in one recording."""
    both = Events.join([before, after])
    pixel = (both.p.astype(np.int64) * both.sensor[0] + both.y) * both.sensor[1] + both.x
    events, where = np.unique(pixel << 31 | both.t, return_inverse=True)
    counts = [np.bincount(part, minlength=len(events)) for part in np.split(where, [len(before.x)])]
    more = counts[1] - counts[0]
    _, pixel = np.unique(events >> 31, return_inverse=True)
    gained = np.bincount(pixel, np.maximum(more, 0)).astype(np.int64)
    lost = np.bincount(pixel, np.maximum(-more, 0)).astype(np.int64)
    moved = np.minimum(gained, lost)
    return int((gained - moved).sum()), int((lost - moved).sum()), int(moved.sum())
