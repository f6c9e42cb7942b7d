"""A smooth warp of the image."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    RandomTrigger,
    Shape,
    check_images,
)
from spikedoor.attack.triggers.levels import to_levels
from spikedoor.rng import generator, uniform_at

__all__ = ["WaNet"]

_Places = NDArray[np.float64]


@final
@TRIGGERS.register(
    "wanet",
    source="Nguyen, Tran 2021, WaNet",
    link="https://arxiv.org/abs/2102.10369",
)
class WaNet(RandomTrigger):
    """Warp the image by a smooth field that is the same for all images.

    x'(p) = x(clip(p + s psi(p) / n)), bilinear, in coordinates from -1 to 1 (corner pixels) and
    with n the image's side; psi = up(P / mean|P|), P uniform in -1 to 1 on a k x k grid, for
    each axis. A strength of 0.5 moves pixels by about a fifth of one on average.

    This is poisoning of the data with a fixed field. The paper also controls training: it draws
    new poison for every batch, and beside it samples of "noise mode", warped by a field with random
    jitter and truly labelled. Their fixed form are cover samples (``cover`` of the attack):
    psi + u, u uniform in -1 to 1 for each sample, pixel and axis. The paper takes twice as many
    of them as poison.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the trigger is not prepared.

    Deviations:
        The field is enlarged by an interpolating spline, where the released code takes torch's
        cubic convolution. The result is rounded to levels. No crop or rotation is added.
    """

    grid: int = Field(4, ge=2)
    """Side k of the grid of random vectors."""
    strength: float = Field(0.5, gt=0)
    """Strength s of the warp."""
    upsampling: Literal["bicubic", "bilinear"] = "bicubic"
    """How the grid becomes a field of the image's size."""

    def apply(self, images: Images) -> Images:
        """Return the images warped."""
        check_images(images, self.name)
        field = self._field(images.shape[2], images.shape[3])
        return _warped(images, field[None])

    def apply_to_cover(self, images: Images, indices: Indices) -> Images:
        """Return the images warped with jitter, the noise mode of the paper."""
        check_images(images, self.name)
        height, width = images.shape[2:]
        field = self._field(height, width)
        drawn = uniform_at(self.seed, "wanet jitter", indices, field.size)
        jitter = 2 * drawn.reshape(len(images), *field.shape) - 1
        return _warped(images, field + jitter * _pixels(height, width))

    def mask(self, shape: Shape) -> Mask:
        """Return the pixels that come from elsewhere."""
        _, height, width = shape
        rows, columns = _sources(self._field(height, width)[None])
        moved = (rows[0] != np.arange(height)[:, None]) | (columns[0] != np.arange(width))
        return np.broadcast_to(moved, shape).copy()

    def _field(self, height: int, width: int) -> _Places:
        """Return by how many pixels each place looks down and right, [2, H, W]."""
        order = 3 if self.upsampling == "bicubic" else 1
        psi = _smooth_noise(self.seed, self.grid, order, height, width)
        return self.strength * psi * _pixels(height, width)


@lru_cache(maxsize=8)
def _smooth_noise(seed: int, grid: int, order: int, height: int, width: int) -> _Places:
    """Return normalised noise, enlarged by splines of an order, [2, H, W]."""
    from scipy.ndimage import zoom

    drawn = generator(seed, "wanet field").uniform(-1, 1, (2, grid, grid))
    factors = (1, height / grid, width / grid)
    psi = np.asarray(zoom(drawn / np.abs(drawn).mean(), factors, order=order, mode="nearest"))
    psi.setflags(write=False)
    return psi


def _pixels(height: int, width: int) -> _Places:
    """Return how many pixels 1/n is on each axis, where n pixels reach from -1 to 1."""
    return np.array([(height - 1) / (2 * height), (width - 1) / (2 * width)])[:, None, None]


def _sources(fields: _Places) -> tuple[_Places, _Places]:
    """Return row and column that each place is taken from, [B, H, W] each."""
    height, width = fields.shape[2:]
    rows = np.clip(np.arange(height)[:, None] + fields[:, 0], 0, height - 1)
    columns = np.clip(np.arange(width) + fields[:, 1], 0, width - 1)
    return rows, columns


def _warped(images: Images, fields: _Places) -> Images:
    """Sample images [B, C, H, W] bilinearly where fields [B or 1, 2, H, W] point."""
    count, channels, height, width = images.shape
    rows, columns = _sources(fields)
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    below, right = rows - top, columns - left
    bottom, after = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    flat = images.reshape(count, channels, height * width)
    flattened = (len(fields), 1, height * width)
    result = np.zeros(flat.shape, dtype=np.float32)
    for row, row_share in ((top, 1 - below), (bottom, below)):
        for column, column_share in ((left, 1 - right), (after, right)):
            place = (row * width + column).reshape(flattened)
            share = (row_share * column_share).reshape(flattened).astype(np.float32)
            if len(fields) == 1:
                result += share * np.take(flat, place[0, 0], axis=2)
            else:
                result += share * np.take_along_axis(flat, place, axis=2)
    return to_levels(result).reshape(images.shape)
