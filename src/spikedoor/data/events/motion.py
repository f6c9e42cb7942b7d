"""How an image moves before a camera, and how much of each of its pixels a sensor pixel sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Path", "footprint", "saccades"]

_CORNERS = np.array([[0.0, 0.0], [-0.5, -0.5], [0.0, 0.5], [0.5, -0.5], [-0.5, -0.5]])
"""Places (x, y) of the image at the ends of movements, in amplitudes from the middle."""
_FINE = 1 << 12


class Path(NamedTuple):
    """Hold where the image is from sample to sample: one movement to come there, three saccades.

    Shapes:
        x, y: float64 [4 steps + 1], right and down of the middle of the sensor, in its pixels.

    Args:
        steps: Samples of one movement.
        duration: Microseconds that one lasts.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    steps: int
    duration: int

    def times(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when the image is at some places, told in samples, in microseconds.

        Time begins with the first saccade.

        Samples are equally far apart; a saccade is at the share 10 u^3 - 15 u^4 + 6 u^5 of its
        way after the share u of its time (Flash and Hogan 1985: the smoothest movement).
        """
        u = np.linspace(0, 1, _FINE + 1)
        # Smooth at the ends, where the way hardly grows with time.
        way = u**3 * (10 - 15 * u + 6 * u**2)
        # A sample between two saccades is the end of the one before.
        number = np.maximum(np.ceil(samples / self.steps) - 1, 0)
        return (number - 1 + np.interp(samples / self.steps - number, way, u)) * self.duration


def saccades(amplitude: float, duration: int, step: float) -> Path:
    """Return the way from the middle to a corner of a triangle, and once round it.

    That is down to the right, up to the right, and left again. It begins off the triangle so that
    no pixel meets just the level that it began with.

    Args:
        amplitude: Its width and height, in pixels.
        duration: Microseconds that each saccade lasts.
        step: Most pixels from one sample to the next.
    """
    longest = amplitude * np.linalg.norm(np.diff(_CORNERS, axis=0), axis=1).max()
    steps = max(1, int(np.ceil(longest / step)))
    place = np.linspace(0, 4, 4 * steps + 1)
    x, y = (amplitude * np.interp(place, range(5), axis) for axis in _CORNERS.T)
    return Path(x, y, steps, duration)


def footprint(
    count: int, scale: float, sensor: int, shift: float, blur: float
) -> NDArray[np.float32]:
    """Return how much a row of sensor pixels sees of a row of image pixels.

    The share of sensor pixel i that lies right of an edge at e, blurred by a normal distribution
    N(0, s^2), is r(i + 1 - e) - r(i - e) with r(u) = u Phi(u / s) + s phi(u / s), the integral of
    Phi(u / s); without blur, r(u) = max(u, 0). What lies between two edges is an image pixel.

    Args:
        count: Image pixels.
        scale: Sensor pixels that one of them is long.
        sensor: Sensor pixels.
        shift: Sensor pixels that the image is right of the middle.
        blur: Standard deviation s, in sensor pixels.

    Shapes:
        result: float32 [sensor, count], whole numbers, in 1/256; rows sum to 256 at most, and to
            just that within the image.
    """
    from scipy.special import ndtr

    edges = (sensor - count * scale) / 2 + shift + scale * np.arange(count + 1)
    u = np.arange(sensor + 1)[:, None] - edges
    if blur:
        ramp = u * ndtr(u / blur) + blur * np.exp(-((u / blur) ** 2) / 2) / np.sqrt(2 * np.pi)
    else:
        ramp = np.maximum(u, 0)
    right = np.rint(256 * np.diff(ramp, axis=0))
    return (right[:, :-1] - right[:, 1:]).astype(np.float32)
