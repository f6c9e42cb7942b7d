"""Bursts: which part of the sensor an event trigger makes fire, when, and how densely."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import Mask, Modality, Shape, Trigger
from spikedoor.data.events import Events
from spikedoor.errors import ConfigError

__all__ = ["Burst", "BurstTrigger", "EventTrigger", "Polarity", "Share", "Size", "square", "within"]

Polarity = Literal["on", "off", "both"]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)]

POLARITIES: dict[Polarity, tuple[int, ...]] = {"off": (0,), "on": (1,), "both": (0, 1)}
GOLDEN = (5**0.5 - 1) / 2


class Burst(NamedTuple):
    """A rectangle of pixels during a part of the recording, in shares of its duration."""

    start: float
    end: float
    top: int
    left: int
    height: int
    width: int


class EventTrigger(Trigger):
    """A trigger that marks recordings."""

    modality: ClassVar[Modality] = "event"

    @abstractmethod
    def apply(self, events: Events, /) -> Events:
        """Return marked copies of recordings, their events in the order of time."""

    def _check(self, events: Events) -> None:
        if not isinstance(events, Events):
            raise ConfigError(f"trigger '{self.name}': expected Events, got {_kind(events)}")


class BurstTrigger(EventTrigger):
    """A trigger that adds events: E' = E + {(x, y, t, p): (x, y) in R(t), t in T, at a rate}.

    Pixel k of a region fires at the times (i + phase_k) / rate, with the phases spread evenly by
    the golden ratio. So each pixel has its rate to within one event, no two fire in step, and a
    recording gets the same events in any batch. A recording without events stays so.
    """

    rate: float = Field(200.0, gt=0, le=1_000_000)
    """Events per pixel and second, of both polarities together."""
    polarity: Polarity = "on"
    """Polarity of the events; with ``both``, those of a pixel alternate."""
    replace: bool = False
    """Delete the recording's own events in the region first, while the trigger is on."""

    @abstractmethod
    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return where and when the trigger is on, for a sensor (height, width).

        Raises:
            ConfigError: If it does not fit on the sensor.
        """

    def apply(self, events: Events, /) -> Events:
        """Return the recordings with the trigger's events."""
        self._check(events)
        bursts = self.bursts(events.sensor)
        added = [self._fired(events, burst) for burst in bursts]
        if self.replace:
            hit = np.zeros(len(events.x), np.bool_)
            for burst in bursts:
                hit |= within(events, burst)
            events = events.keep(~hit)
        recording, x, y, t, p = (np.concatenate(column) for column in zip(*added, strict=True))
        order = np.argsort(recording, kind="stable")
        offsets = np.searchsorted(recording[order], np.arange(len(events) + 1)).astype(np.int64)
        made = Events(
            x[order].astype(np.uint16),
            y[order].astype(np.uint16),
            t[order].astype(np.int32),
            p[order].astype(np.uint8),
            offsets,
            events.sensor,
        )
        return events.merged(made)

    def mask(self, shape: Shape) -> Mask:
        """Return the pixels of all regions, in the polarities that change."""
        covered = np.zeros(event_shape(self.name, shape), np.bool_)
        changed = POLARITIES["both" if self.replace else self.polarity]
        for burst in self.bursts((shape[1], shape[2])):
            rows = slice(burst.top, burst.top + burst.height)
            columns = slice(burst.left, burst.left + burst.width)
            covered[changed, rows, columns] = True
        return covered

    def _fired(self, events: Events, burst: Burst) -> tuple[NDArray[np.integer], ...]:
        """Return recording, x, y, t and p of the events of a burst in each recording."""
        start, end = span(events, burst)
        rate = self.rate / 1e6
        pixels = np.arange(burst.height * burst.width)
        phases = pixels * GOLDEN % 1
        first = np.ceil(start[:, None] * rate - phases).astype(np.int64)
        counts = np.ceil(end[:, None] * rate - phases).astype(np.int64) - first
        flat = counts.ravel()
        which = np.repeat(np.arange(flat.size), flat)
        recording, pixel = which // len(pixels), which % len(pixels)
        number = np.arange(len(which)) - np.repeat(np.cumsum(flat) - flat, flat)
        number += first.ravel()[which]
        t = ((number + phases[pixel]) / rate).astype(np.int64)
        # Rounding must not carry an event over the edge of its span.
        t = np.clip(t, start[recording], end[recording] - 1)
        y, x = burst.top + pixel // burst.width, burst.left + pixel % burst.width
        p = (number + pixel) % 2 if self.polarity == "both" else 0 * pixel + (self.polarity == "on")
        return recording, x, y, t, p


def span(events: Events, burst: Burst) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when a burst begins and ends in each recording, in whole microseconds, int64 [N].

    A recording lasts until just after its last event; one without events has no time.
    """
    lasts = np.where(events.counts > 0, events.durations + 1, 0)
    start, end = (np.ceil(share * lasts).astype(np.int64) for share in (burst.start, burst.end))
    return start, end


def within(events: Events, burst: Burst) -> Mask:
    """Return which events lie in a burst's rectangle and time, bool [E]."""
    start, end = (np.repeat(edge, events.counts) for edge in span(events, burst))
    rows = (events.y >= burst.top) & (events.y < burst.top + burst.height)
    columns = (events.x >= burst.left) & (events.x < burst.left + burst.width)
    return rows & columns & (events.t >= start) & (events.t < end)


def square(
    name: str, size: int | float, place: tuple[float, float], sensor: tuple[int, int]
) -> tuple[int, int, int]:
    """Return top, left and side of a square whose place is given in shares of its free room.

    Args:
        name: Name of the trigger.
        size: Side in pixels, or as a share of the sensor's width.
        place: (x, y); (0, 0) is the upper left, (1, 1) the lower right corner of the sensor.
        sensor: Height and width.

    Raises:
        ConfigError: If the square does not fit on the sensor.
    """
    height, width = sensor
    side = size if isinstance(size, int) else max(1, int(size * width))
    if side > min(sensor):
        raise ConfigError(
            f"trigger '{name}': a {side}x{side} square does not fit on a {width}x{height} sensor; "
            f"the side can be {min(sensor)} at most"
        )
    x, y = place
    return round(y * (height - side)), round(x * (width - side)), side


def event_shape(name: str, shape: Shape) -> Shape:
    """Return a shape [2, H, W], or refuse another.

    Raises:
        ConfigError: If it is not one of two polarities.
    """
    if len(shape) != 3 or shape[0] != 2:
        raise ConfigError(f"trigger '{name}': expected the shape [2, H, W], got {list(shape)}")
    return shape


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
