"""A blended picture of which training shows random pieces."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from spikedoor.attack.triggers.base import TRIGGERS, Images, Indices, Mask, Shape, check_images
from spikedoor.attack.triggers.blended import Blending
from spikedoor.attack.triggers.levels import blend
from spikedoor.errors import ConfigError
from spikedoor.rng import uniform_at

__all__ = ["AdaptiveBlend"]


@final
@TRIGGERS.register(
    "adaptive-blend",
    source="Qi, Xie, Li, Mahloujifar, Mittal 2023, Latent Separability",
    link="https://openreview.net/forum?id=_wSHsgrVali",
)
class AdaptiveBlend(Blending):
    """Blend random pieces of a picture in training, and the whole of it in test.

    x' = (1 - alpha m) x + alpha m K, rounded to levels. The image is cut into g x g pieces; for
    each training sample m is 1 on a random half of them and 0 on the others, and in test it is
    1 everywhere. Which pieces a sample gets follows from the seed and its index alone.

    The attack goes with cover samples (``cover`` of the attack), as many as there is poison: the
    trigger then does not separate poison from clean samples in the network's features.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the trigger is not prepared, or the image is smaller than the grid.

    Deviations:
        The picture is drawn or given as rows; the paper's cartoon is not part of this package.
    """

    alpha: float = Field(0.15, gt=0, le=1)
    """Share of the picture in training."""
    alpha_test: float = Field(0.2, gt=0, le=1)
    """Share of the picture in test."""
    grid: int = Field(4, ge=1)
    """The image is cut into this many pieces along each side."""
    shown: float = Field(0.5, gt=0, le=1)
    """Share of the pieces that a training sample shows, rounded to whole pieces, at least one."""

    def apply(self, images: Images) -> Images:
        """Return the images with the whole picture blended."""
        check_images(images, self.name)
        self._pieces(images.shape[1:])
        return blend(images, self.picture(images.shape[1:]), self.alpha_test)

    def apply_in_training(self, images: Images, indices: Indices) -> Images:
        """Return the images, each with pieces of its own blended."""
        check_images(images, self.name)
        pieces = self._pieces(images.shape[1:])
        count = self.grid**2
        order = np.argsort(uniform_at(self.seed, "pieces", indices, count), axis=1)
        chosen = np.zeros((len(images), count), dtype=np.bool_)
        first = order[:, : max(1, round(self.shown * count))]
        np.put_along_axis(chosen, first, True, axis=1)
        alpha = np.float32(self.alpha) * chosen[:, pieces][:, None]
        return blend(images, self.picture(images.shape[1:]), alpha)

    def mask(self, shape: Shape) -> Mask:
        """Return every pixel."""
        self._pieces(shape)
        return super().mask(shape)

    def _pieces(self, shape: Shape) -> Indices:
        """Return the number of the piece that each place belongs to, [H, W]."""
        _, height, width = shape
        if min(height, width) < self.grid:
            raise ConfigError(
                f"trigger '{self.name}': {self.grid}x{self.grid} pieces do not fit into a "
                f"{width}x{height} image"
            )
        row, column = (np.arange(side) * self.grid // side for side in (height, width))
        return row[:, None] * self.grid + column
