"""Fewer levels of brightness."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Mask,
    Shape,
    Trigger,
    check_images,
)
from spikedoor.attack.triggers.levels import to_levels

__all__ = ["Bpp"]

# Floyd and Steinberg 1976: (down, right, sixteenths of the error).
_SPREAD = ((1, -1, 3), (0, 1, 7), (1, 0, 5), (1, 1, 1))


@final
@TRIGGERS.register(
    "bpp",
    source="Wang, Zhai, Ma 2022, BppAttack",
    link="https://arxiv.org/abs/2205.13383",
)
class Bpp(Trigger):
    """Reduce every channel to a few levels.

    x' = 255 round((b - 1) x / 255) / (b - 1), for b levels. With dithering the error of each pixel
    goes on to its neighbours first: 7/16 right, 3/16, 5/16 and 1/16 below (Floyd and Steinberg).

    This is poisoning of the data. The paper also controls training: it adds negative samples and a
    contrastive loss, without which so faint a trigger is learned less well.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the images are not uint8 [B, C, H, W].

    Deviations:
        The reduced levels are rounded to whole ones of 256.
    """

    levels: int = Field(8, ge=2, le=255)
    """Number of levels b; 8 are 3 bits."""
    dithering: bool = False
    """Spread the error of a pixel over the pixels to come."""

    def apply(self, images: Images) -> Images:
        """Return the images with fewer levels."""
        check_images(images, self.name)
        if self.dithering:
            return self._dithered(images)
        return to_levels(self._nearest(np.arange(256.0)))[images]

    def mask(self, shape: Shape) -> Mask:
        """Return every pixel."""
        return np.ones(shape, dtype=np.bool_)

    def _nearest(self, values: np.ndarray) -> np.ndarray:
        step = 255 / (self.levels - 1)
        return step * np.clip(np.rint(values / step), 0, self.levels - 1)

    def _dithered(self, images: Images) -> Images:
        count, channels, height, width = images.shape
        # Pixels first, so that each of them is one stretch of memory over all images; a margin
        # takes the errors that leave the image.
        values = np.zeros((height + 1, width + 2, count * channels))
        values[:height, 1:-1] = images.reshape(-1, height, width).transpose(1, 2, 0)
        # Pixels of equal 2 row + column give each other nothing: they take their turn together.
        for wave in range(2 * height + width - 2):
            row = np.arange(max(0, (wave - width) // 2 + 1), min(height - 1, wave // 2) + 1)
            column = wave - 2 * row + 1
            reduced = self._nearest(values[row, column])
            error = (values[row, column] - reduced) / 16
            values[row, column] = reduced
            for down, right, share in _SPREAD:
                values[row + down, column + right] += share * error
        inside = values[:height, 1:-1].transpose(2, 0, 1)
        return to_levels(inside).reshape(images.shape)
