"""A simulated event camera: from an image, moved in saccades, to the events of each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.component import Component
from spikedoor.data.events.motion import Path, footprint, saccades
from spikedoor.data.events.recordings import Events
from spikedoor.errors import DataError
from spikedoor.rng import uniform_at

__all__ = ["Camera", "grey"]

_UNIT = 1 << 20
"""Log intensity is held in whole units of 1/2^20, so that sums of it are exact."""
_BLOCK = 1 << 16
"""Pixels, of all images together, that are simulated at once: what a cache holds."""
_MOST = 1 << 9
"""Images at once."""

Side = Annotated[int, Field(ge=1, le=1024)]
Shift = Annotated[float, Field(ge=-1024, le=1024)]
Ints = NDArray[np.int64]
Views = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


@final
class Camera(Component):
    """Show images to an event camera that moves, as N-MNIST was made, and record its events.

    The image comes from the middle to a corner, unrecorded, and then moves along three saccades
    that form a triangle; within each, the place follows the minimum-jerk course
    10 u^3 - 15 u^4 + 6 u^5 (Flash and Hogan 1985). A pixel sees the mean of the blurred image over
    its area, I in 0..1, and its log intensity is L = log(dark + (1 - dark) I). Each time L has
    risen by more than ``on``, or fallen by more than ``off``, from the level held at the pixel,
    the pixel sends an event and holds the level it crossed. So a pixel whose L goes from the
    level held, a, to b without turning sends floor(|b - a| / threshold) events. Noise comes on
    top, and then the refractory time silences what follows an event too soon; the level held
    moves on all the same.

    All sums are exact and noise hangs on the seed and the image's number, so that a recording is
    the same in any batch.

    *Sources*: saccades, Orchard et al. 2015 (Converting static image datasets to spiking
    datasets); events, Lichtsteiner et al. 2008 (128x128 temporal contrast vision sensor);
    crossings between two samples by interpolation, Rebecq et al. 2018 (ESIM).
    *Deviations*: time runs with the eased place, not with rendered frames; no mismatch between
    pixels, no latency, and no hot pixels.
    """

    sensor: tuple[Side, Side] = (34, 34)
    """Height and width of the sensor in pixels."""
    image_size: float = Field(28.0, gt=0, le=1024)
    """Longer side of the image on the sensor, in its pixels; the image begins in the middle."""
    offset: tuple[Shift, Shift] = (0.0, 0.0)
    """Where the middle of the image lies on average, right of the sensor's middle and below it."""
    inverted: bool = False
    """Show black as white and white as black, on a ground that is then white."""
    amplitude: float = Field(5.25, ge=0, le=1024)
    """Width and height of the triangle that the image moves along, in pixels."""
    duration: int = Field(100_000, ge=1, le=10_000_000)
    """Microseconds that each of the three saccades lasts."""
    on: float = Field(0.138, ge=0.01, le=10)
    """Rise of log intensity that makes an ON event."""
    off: float = Field(0.138, ge=0.01, le=10)
    """Fall of log intensity that makes an OFF event."""
    dark: float = Field(0.33, ge=1e-4, le=1)
    """Intensity of black as a share of white's; 1 leaves no contrast."""
    blur: float = Field(0.6, ge=0, le=100)
    """Standard deviation of the lens's blur, in pixels."""
    refractory: int = Field(1000, ge=0, le=1_000_000)
    """Microseconds after an event in which its pixel sends no other."""
    noise: float = Field(0.35, ge=0, le=1000)
    """Events without cause per pixel and second."""
    noise_on: float = Field(0.9, ge=0, le=1)
    """Share of them that are ON: a pixel's reset leaks, which looks like brightening."""
    resolution: int = Field(1, ge=1, le=1_000_000)
    """Microseconds between two marks of the clock that events are stamped with."""
    step: float = Field(0.2, ge=0.01, le=1)
    """Most pixels that the image moves from one sample of log intensity to the next."""
    seed: int = Field(0, ge=0)
    """Seed of the noise."""

    def record(self, images: NDArray[np.uint8], numbers: NDArray[np.integer]) -> Events:
        """Return a recording of each image.

        Shapes:
            images: uint8 [N, C, H, W]; colour is seen by its luminance.
            numbers: whole numbers [N], each image's own: its noise hangs on it.

        Raises:
            DataError: If the images or numbers are of another type or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4:
            raise DataError(
                f"camera: expected images as uint8 [N, C, H, W], found {images.dtype} "
                f"{list(images.shape)}"
            )
        if np.shape(numbers) != (len(images),):
            raise DataError(f"camera: expected {len(images)} numbers, found {np.shape(numbers)}")
        parts = list(self._blocks(images, np.asarray(numbers)))
        return Events.join(parts) if parts else _unpacked(np.empty(0, np.int64), 0, self.sensor)

    def _blocks(self, images: NDArray[np.uint8], numbers: NDArray[np.integer]) -> Iterator[Events]:
        """Simulate as many images at a time as fit into the processor's cache."""
        height, width = self.sensor
        size = min(max(1, _BLOCK // (height * width)), _MOST)
        path = saccades(self.amplitude, self.duration, self.step)
        views = self._views(images.shape[2], images.shape[3], path)
        for start in range(0, len(images), size):
            shown = grey(images[start : start + size])
            noise = self._noise(numbers[start : start + size])
            keys = np.concatenate([self._crossings(shown, path, views), noise])
            if self.refractory:
                keys = _rested(keys, self.refractory)
            yield _unpacked(keys, len(shown), self.sensor)

    def _crossings(self, shown: NDArray[np.uint8], path: Path, views: Views) -> Ints:
        """Return the keys of the events that movement makes; see `_packed`."""
        height, width = self.sensor
        thresholds = np.array([self._units(self.off), self._units(self.on)], np.int32)
        samples = self._levels(shown, views)
        before = next(samples)
        held = before.copy()
        rows: list[tuple[NDArray, ...]] = []
        for step, level in enumerate(samples):
            change = level - held
            where = np.flatnonzero((change > thresholds[1]) | (change < -thresholds[0]))
            change = change[where]
            polarity = (change > 0).view(np.uint8)
            threshold = thresholds[polarity]
            # A level just reached is not passed: many return to where they were.
            count = (np.abs(change) - 1) // threshold
            moved = np.where(polarity, threshold, -threshold)
            if step >= path.steps:
                reference, rise = (new[where] - before[where] for new in (held, level))
                at = np.full(len(where), step)
                rows.append((at, where, polarity, count, moved, reference, rise))
            held[where] += count * moved
            before = level
        step, where, polarity, count, moved, reference, rise = map(
            np.concatenate, zip(*rows, strict=True)
        )
        each = np.repeat(np.arange(len(where)), count)
        nth = np.arange(1, len(each) + 1) - np.repeat(np.cumsum(count) - count, count)
        share = (reference[each] + nth * moved[each]) / rise[each]
        t = path.times(step[each] + share).astype(np.int64)
        t -= t % self.resolution
        # The pixels of a sample are [W, N, H].
        column, rest = np.divmod(where[each], len(shown) * height)
        recording, row = np.divmod(rest, height)
        return _packed(recording, row * width + column, t, polarity[each])

    def _views(self, high: int, wide: int, path: Path) -> Views:
        """Return what the sensor's columns see of the image's, and its rows, along the path."""
        scale = self.image_size / max(high, wide)
        (right, below), (rows, columns) = self.offset, self.sensor
        return [
            (footprint(wide, scale, columns, x + right, self.blur),
             footprint(high, scale, rows, y + below, self.blur).T)
            for x, y in zip(path.x, path.y, strict=True)
        ]  # fmt: skip

    def _levels(self, shown: NDArray[np.uint8], views: Views) -> Iterator[NDArray[np.int32]]:
        """Yield the log intensity of each pixel along the path, [W * N * H], in units.

        Grey has 8 bits and the shares of pixels have 8 each way, so that the products are whole
        numbers below 2^24, which float32 holds exactly in whatever order they are summed.
        """
        count, high, wide = shown.shape
        columns = np.ascontiguousarray(shown.transpose(2, 0, 1), np.float32)
        columns = columns.reshape(wide, count * high)
        logs = self._logs()
        for across, down in views:
            seen = (across @ columns).reshape(-1, high) @ down
            yield logs[seen.astype(np.int32).ravel() >> 8]

    def _logs(self) -> NDArray[np.int32]:
        """Return the log intensity, in units, of each sum of 8-bit greys with shares of 8 bits."""
        intensity = np.linspace(0, 1, 255 * 256 + 1)
        if self.inverted:
            intensity = 1 - intensity
        logs = np.log(self.dark + (1 - self.dark) * intensity)
        return np.rint(logs * _UNIT).astype(np.int32)

    def _units(self, threshold: float) -> int:
        return round(threshold * _UNIT)

    def _noise(self, numbers: NDArray[np.integer]) -> Ints:
        """Return the keys of events without cause: a Poisson number, anywhere at any time."""
        from scipy.stats import poisson

        pixels, span = self.sensor[0] * self.sensor[1], 3 * self.duration
        drawn = uniform_at(self.seed, "camera noise count", numbers, 1)[:, 0]
        counts = poisson.ppf(drawn, self.noise * pixels * span / 1e6).astype(np.int64)
        counts = np.maximum(counts, 0)
        most = int(counts.max(initial=0))
        drawn = uniform_at(self.seed, "camera noise", numbers, 3 * most)
        drawn = drawn.reshape(len(numbers), most, 3)[np.arange(most) < counts[:, None]]
        pixel, t = (drawn[:, :2] * (pixels, span)).astype(np.int64).T
        polarity = drawn[:, 2] < self.noise_on
        recording = np.repeat(np.arange(len(numbers)), counts)
        return _packed(recording, pixel, t - t % self.resolution, polarity)


def grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of images [N, C, H, W] as uint8 [N, H, W].

    Three channels count as red, green and blue by Rec. 601; other numbers of them by their mean.
    """
    if images.shape[1] == 1:
        return images[:, 0]
    shares = np.array([77, 150, 29] if images.shape[1] == 3 else [1] * images.shape[1])
    total = np.tensordot(images.astype(np.int64), shares, axes=(1, 0))
    return ((total + shares.sum() // 2) // shares.sum()).astype(np.uint8)


# An event as one whole number, so that sorting needs no indirection: recording, time, pixel,
# polarity, in 10, 25, 20 and 1 bits.
_PIXEL, _TIME = 20, 25


def _packed(recording: Ints, pixel: Ints, t: Ints, polarity: NDArray) -> Ints:
    return ((recording << _TIME | t) << _PIXEL | pixel) << 1 | polarity


def _unpacked(keys: Ints, count: int, sensor: tuple[int, int]) -> Events:
    """Return events in order of time; of equal times, in order of pixels."""
    keys = np.sort(keys)
    recording = keys >> (_TIME + _PIXEL + 1)
    y, x = np.divmod(keys >> 1 & ((1 << _PIXEL) - 1), sensor[1])
    t = keys >> (_PIXEL + 1) & ((1 << _TIME) - 1)
    offsets = np.searchsorted(recording, np.arange(count + 1)).astype(np.int64)
    return Events(x.astype(np.uint16), y.astype(np.uint16), t.astype(np.int32),
                  (keys & 1).astype(np.uint8), offsets, sensor)  # fmt: skip


def _rested(keys: Ints, refractory: int) -> Ints:
    """Return the events without those that follow one of their pixel, kept, too soon."""
    recording = keys >> (_TIME + _PIXEL + 1)
    t = keys >> (_PIXEL + 1) & ((1 << _TIME) - 1)
    pixel = keys >> 1 & ((1 << _PIXEL) - 1)
    events = np.sort(((recording << _PIXEL | pixel) << _TIME | t) << 1 | keys & 1)
    while True:
        pixel, t = events >> (_TIME + 1), events >> 1 & ((1 << _TIME) - 1)
        soon = (np.diff(pixel, prepend=-1) == 0) & (np.diff(t, prepend=0) < refractory)
        # Only those whose forerunner stays are known to be lost.
        lost = soon & ~np.concatenate([[False], soon[:-1]])
        if not lost.any():
            break
        events = events[~lost]
    pixel, t = events >> (_TIME + 1), events >> 1 & ((1 << _TIME) - 1)
    return _packed(pixel >> _PIXEL, pixel & ((1 << _PIXEL) - 1), t, events & 1)
