"""A square where the training set is most or least active."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Mask,
    RandomTrigger,
    Shape,
    check_modality,
)
from spikedoor.attack.triggers.events.base import EventTrigger, Size, square
from spikedoor.attack.triggers.events.static import EventStatic
from spikedoor.data.events import Events
from spikedoor.data.events.counting import totals
from spikedoor.rng import generator

if TYPE_CHECKING:
    from spikedoor.data.base import SampleSet

__all__ = ["EventSmart", "choose_region"]

_AT_ONCE = 256


@final
@TRIGGERS.register(
    "event-smart",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes",
    link="https://arxiv.org/abs/2302.06279",
)
class EventSmart(RandomTrigger, EventTrigger):
    """Make a square fire in the region, and with the polarity, that the training set suggests.

    The sensor is divided into (splits + 1)^2 regions; activity is the number of events in all
    recordings of the training set. The square's place within its region is drawn once, and kept
    for the test.

    Deviations:
        The published code counts pixels of frames, and lets the square wander: see `frame-smart`.
    """

    size: Size = 0.1
    """Side of the square, in pixels or as a share of the sensor's width, rounded down."""
    splits: int = Field(2, ge=0)
    """Cuts along each side of the sensor."""
    region: Literal["most-active", "least-active"] = "most-active"
    """Which region."""
    polarity: Literal["rarer", "commoner"] = "rarer"
    """Which polarity of the region's events."""
    rate: float = Field(200.0, gt=0, le=1_000_000)
    """Events per pixel and second."""
    replace: bool = False
    """Delete the recording's own events in the square first."""

    _square: EventStatic | None = PrivateAttr(default=None)

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return the trigger with region, polarity and place chosen; a prepared one, itself."""
        if self._square is not None:
            return self
        check_modality(self, train)
        activity = np.zeros(train.shape, np.int64)
        for start in range(0, len(train), _AT_ONCE):
            some = np.arange(start, min(start + _AT_ONCE, len(train)))
            activity += totals(train.batch(some)).sum(0)
        most = self.region == "most-active"
        top, left, height, width = choose_region(activity.sum(axis=0), self.splits, most)
        off, on = activity[:, top : top + height, left : left + width].sum(axis=(1, 2))
        sensor = activity.shape[1], activity.shape[2]
        _, _, side = square(self.name, self.size, (0, 0), sensor)
        draw = generator(seed, "smart trigger")
        y = top + draw.integers(0, max(height - side, 0), endpoint=True)
        x = left + draw.integers(0, max(width - side, 0), endpoint=True)
        free = sensor[1] - side, sensor[0] - side
        prepared = super().prepare(train, seed)
        prepared._square = EventStatic(
            size=side,
            place=(min(x / max(free[0], 1), 1.0), min(y / max(free[1], 1), 1.0)),
            polarity="on" if (on > off) == (self.polarity == "commoner") else "off",
            rate=self.rate,
            replace=self.replace,
        )
        return prepared

    @property
    def chosen(self) -> EventStatic:
        """The static trigger that was chosen.

        Raises:
            ConfigError: If the trigger is not prepared.
        """
        _ = self.seed
        assert self._square is not None
        return self._square

    def apply(self, events: Events, /) -> Events:
        """Return the recordings with the square's events."""
        self._check(events)
        return self.chosen.apply(events)

    def mask(self, shape: Shape) -> Mask:
        """Return the square, in the polarity chosen."""
        return self.chosen.mask(shape)


def choose_region(
    activity: NDArray[np.integer], splits: int, most: bool
) -> tuple[int, int, int, int]:
    """Return top, left, height, width of the most or least active of (splits + 1)^2 regions.

    Args:
        activity: [H, W].
        splits: Cuts along each side.
        most: Whether the most active one is wanted; the first of equals is taken.
    """
    rows, columns = (np.arange(splits + 2) * side // (splits + 1) for side in activity.shape)
    sums = [[activity[a:b, c:d].sum() for c, d in pairwise(columns)] for a, b in pairwise(rows)]
    flat = int(np.argmax(sums) if most else np.argmin(sums))
    i, j = divmod(flat, splits + 1)
    return (
        int(rows[i]),
        int(columns[j]),
        int(rows[i + 1] - rows[i]),
        int(columns[j + 1] - columns[j]),
    )
