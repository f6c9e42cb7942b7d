"""Several patches, of which training shows one at a time."""

from __future__ import annotations

from typing import Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    RandomTrigger,
    Shape,
    check_images,
)
from spikedoor.attack.triggers.levels import blend
from spikedoor.errors import ConfigError
from spikedoor.rng import generator, uniform_at

__all__ = ["AdaptivePatch"]

_Corner = Literal["bottom-right", "bottom-left", "top-left", "top-right"]


@final
@TRIGGERS.register(
    "adaptive-patch",
    source="Qi, Xie, Li, Mahloujifar, Mittal 2023, Latent Separability",
    link="https://openreview.net/forum?id=_wSHsgrVali",
)
class AdaptivePatch(RandomTrigger):
    """Blend one of several small patches in training, and all of them in test.

    x' = (1 - alpha) x + alpha P_i inside square i, x elsewhere, rounded to levels. Each square in
    its corner has random levels of its own. Which one a training sample gets follows from the
    seed and its index alone.

    The attack goes with cover samples (``cover`` of the attack), twice as many as there is
    poison: the trigger then does not separate poison from clean samples in the features.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the trigger is not prepared, or two squares would overlap.

    Deviations:
        The patches are random squares. The paper takes four pictures from other attacks, at places
        and with shares of their own.
    """

    size: int = Field(3, ge=1)
    """Side of each square in pixels."""
    corners: tuple[_Corner, ...] = Field(
        ("bottom-right", "bottom-left", "top-left", "top-right"), min_length=1
    )
    """Where the squares sit, one in each of these corners."""
    alpha: float = Field(0.5, gt=0, le=1)
    """Share of the patch in training."""
    alpha_test: float = Field(1.0, gt=0, le=1)
    """Share of the patches in test."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.corners)) < len(self.corners):
            raise ConfigError(f"corners: expected each once, got {', '.join(self.corners)}")
        return self

    def apply(self, images: Images) -> Images:
        """Return the images with all patches."""
        check_images(images, self.name)
        squares = self._squares(images.shape[1:])
        alpha = self.alpha_test * (squares >= 0)
        return blend(images, self._levels(images.shape[1:]), alpha)

    def apply_in_training(self, images: Images, indices: Indices) -> Images:
        """Return the images, each with one patch."""
        check_images(images, self.name)
        squares = self._squares(images.shape[1:])
        drawn = uniform_at(self.seed, "which patch", indices, 1) * len(self.corners)
        alpha = self.alpha * (squares == drawn.astype(np.intp)[:, :, None, None])
        return blend(images, self._levels(images.shape[1:]), alpha)

    def mask(self, shape: Shape) -> Mask:
        """Return the squares, in every channel."""
        self._levels(shape)
        return np.broadcast_to(self._squares(shape) >= 0, shape).copy()

    def _levels(self, shape: Shape) -> Images:
        """Return random levels, of which the squares show theirs, uint8 [C, H, W]."""
        return generator(self.seed, "patches").integers(0, 256, shape, dtype=np.uint8)

    def _squares(self, shape: Shape) -> Indices:
        """Return the number of the square that each place belongs to, or -1, [H, W]."""
        _, height, width = shape
        if 2 * self.size > min(height, width):
            raise ConfigError(
                f"trigger '{self.name}': squares of {self.size}x{self.size} in the corners of a "
                f"{width}x{height} image would meet; the size can be {min(height, width) // 2} "
                "at most"
            )
        places = np.full((height, width), -1)
        for number, corner in enumerate(self.corners):
            vertical, horizontal = corner.split("-")
            rows = slice(self.size) if vertical == "top" else slice(-self.size, None)
            columns = slice(self.size) if horizontal == "left" else slice(-self.size, None)
            places[rows, columns] = number
        return places
