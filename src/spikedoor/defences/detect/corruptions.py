"""Corruptions of images after those of ImageNet-C, at five severities.

Hendrycks and Dietterich 2019 (https://arxiv.org/abs/1903.12261). Levels of noise, brightness,
contrast, fog and JPEG quality are of their order; lengths are in 32nds of the side, so that they do
to a small image what they do to a large one. Of all images of a set the random parts are the same,
and at a higher severity the same but stronger, so that no score hangs on other inputs.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikedoor.rng import generator

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupted"]

Floats = NDArray[np.floating]
Corruption = Callable[[Floats, int, np.random.Generator], Floats]

SEVERITIES = (1, 2, 3, 4, 5)


def corrupted(
    images: NDArray[np.uint8], name: str, severity: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Return corrupted copies of images, uint8 [B, C, H, W].

    Args:
        images: uint8 [B, C, H, W].
        name: One of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: Of the random parts.
    """
    random = generator(seed, f"corruption {name}")
    changed = CORRUPTIONS[name](images.astype(np.float32) / 255, severity - 1, random)
    return np.rint(changed.clip(0, 1) * 255).astype(np.uint8)


def _gaussian_noise(x: Floats, i: int, random: np.random.Generator) -> Floats:
    level = (0.08, 0.12, 0.18, 0.26, 0.38)[i]
    return x + np.float32(level) * random.standard_normal(x.shape[1:], np.float32)


def _shot_noise(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Spread by sqrt(x / photons), the normal limit of the Poisson law."""
    photons = (60, 25, 12, 5, 3)[i]
    return x + np.sqrt(x / np.float32(photons)) * random.standard_normal(x.shape[1:], np.float32)


def _speckle_noise(x: Floats, i: int, random: np.random.Generator) -> Floats:
    level = (0.15, 0.2, 0.35, 0.45, 0.6)[i]
    return x + np.float32(level) * x * random.standard_normal(x.shape[1:], np.float32)


def _impulse_noise(x: Floats, i: int, random: np.random.Generator) -> Floats:
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[i]
    hit = random.random(x.shape[1:]) < share
    white = (random.random(x.shape[1:]) < 0.5).astype(np.float32)
    return np.where(hit, white, x)


def _defocus_blur(x: Floats, i: int, random: np.random.Generator) -> Floats:
    from scipy.ndimage import convolve

    radius = _length(x, (0.9, 1.2, 1.7, 2.3, 2.9)[i])
    reach = int(np.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    return convolve(x, (disc / disc.sum())[None, None])


def _gaussian_blur(x: Floats, i: int, random: np.random.Generator) -> Floats:
    from scipy.ndimage import gaussian_filter

    width = _length(x, (0.5, 1.0, 1.5, 2.0, 3.0)[i])
    return gaussian_filter(x, (0, 0, width, width))


def _motion_blur(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Average along rows, as of a camera that moves sideways."""
    from scipy.ndimage import convolve1d

    reach = _length(x, (1.0, 1.5, 2.0, 2.5, 3.0)[i])  # to either side
    places = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    weights = np.clip(reach + 1 - np.abs(places), 0, 1).astype(np.float32)
    return convolve1d(x, weights / weights.sum(), axis=3)


def _zoom_blur(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Average of the image and ten enlarged ones."""
    largest = (1.11, 1.16, 1.21, 1.26, 1.33)[i]
    height, width = x.shape[2:]
    rows, columns = np.mgrid[:height, :width] - np.array([height - 1, width - 1])[:, None, None] / 2
    total = x.copy()
    for factor in np.linspace(1, largest, 11)[1:]:
        total += _sampled(x, rows / factor, columns / factor)
    return total / 11


def _elastic(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Shift every pixel by a smooth random field."""
    from scipy.ndimage import gaussian_filter

    height, width = x.shape[2:]
    smooth = _length(x, 1.3)
    field = gaussian_filter(random.uniform(-1, 1, (2, height, width)), (0, smooth, smooth))
    field *= _length(x, (0.5, 0.8, 1.1, 1.5, 2.0)[i]) / np.abs(field).std()
    rows, columns = np.mgrid[:height, :width] - np.array([height - 1, width - 1])[:, None, None] / 2
    return _sampled(x, rows + field[0], columns + field[1])


def _fog(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Blend with smooth clouds, and scale the brightest pixel back."""
    from scipy.ndimage import gaussian_filter

    thickness = np.float32((1.5, 2.0, 2.5, 2.75, 3.0)[i])
    noise = random.random(x.shape[2:])
    layers = [2.0**k * gaussian_filter(noise, _length(x, 2.0**k), mode="wrap") for k in range(4)]
    clouds = np.sum(layers, 0)
    clouds = ((clouds - clouds.min()) / np.ptp(clouds)).astype(np.float32)
    brightest = x.max((1, 2, 3), keepdims=True)
    return (x + thickness * clouds) * brightest / (brightest + thickness + np.float32(1e-6))


def _brightness(x: Floats, i: int, random: np.random.Generator) -> Floats:
    return x + np.float32((0.1, 0.2, 0.3, 0.4, 0.5)[i])


def _contrast(x: Floats, i: int, random: np.random.Generator) -> Floats:
    mean = x.mean((1, 2, 3), keepdims=True)
    return mean + (x - mean) * np.float32((0.4, 0.3, 0.2, 0.1, 0.05)[i])


def _pixelate(x: Floats, i: int, random: np.random.Generator) -> Floats:
    """Sample down to a share of the side by boxes, and up by repetition."""
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[i]
    for axis in (2, 3):
        side = x.shape[axis]
        few = max(1, round(side * share))
        cell = np.arange(side) * few // side
        box = np.equal.outer(np.arange(few), cell).astype(np.float32)
        box /= box.sum(1, keepdims=True)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ box.T[:, cell], -1, axis)
    return x


def _jpeg(x: Floats, i: int, random: np.random.Generator) -> Floats:
    from PIL import Image

    quality = (25, 18, 15, 10, 7)[i]
    pixels = np.rint(x * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    found = np.empty_like(pixels)
    for image, into in zip(pixels, found, strict=True):
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=quality)
        into[:] = np.asarray(Image.open(file)).reshape(image.shape)
    return found.transpose(0, 3, 1, 2).astype(np.float32) / 255


def _length(x: Floats, of_32: float) -> float:
    """Return a length in pixels, of one in 32nds of the longer side; of tiny images as of 16 px."""
    return of_32 * max(16, *x.shape[2:]) / 32


def _sampled(x: Floats, rows: NDArray[np.floating], columns: NDArray[np.floating]) -> Floats:
    """Return images at places [H, W] about their middle, linear between pixels, the edge beyond."""
    height, width = x.shape[2:]
    rows = (rows + (height - 1) / 2).clip(0, height - 1)
    columns = (columns + (width - 1) / 2).clip(0, width - 1)
    top, left = rows.astype(int), columns.astype(int)
    down, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    v, h = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    upper = x[:, :, top, left] * (1 - h) + x[:, :, top, right] * h
    lower = x[:, :, down, left] * (1 - h) + x[:, :, down, right] * h
    return upper * (1 - v) + lower * v


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian-noise": _gaussian_noise,
    "shot-noise": _shot_noise,
    "speckle-noise": _speckle_noise,
    "impulse-noise": _impulse_noise,
    "defocus-blur": _defocus_blur,
    "gaussian-blur": _gaussian_blur,
    "motion-blur": _motion_blur,
    "zoom-blur": _zoom_blur,
    "elastic": _elastic,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "pixelate": _pixelate,
    "jpeg": _jpeg,
}
"""Each takes a severity from 0, returns other images that need not lie in [0, 1], and leaves those
it is given."""
