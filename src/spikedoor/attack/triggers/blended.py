"""A picture blended over the whole image."""

from __future__ import annotations

from typing import Annotated, Literal, Self, final

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
from spikedoor.attack.triggers.patterns import (
    LIST,
    ONE_OF,
    SINGLE,
    Rows,
    checkerboard,
    from_rows,
    resize_by_area,
    to_channels,
)
from spikedoor.errors import ConfigError
from spikedoor.rng import generator

__all__ = ["Blended", "Blending"]

_Drawing = Literal["noise", "checkerboard"]


class Blending(RandomTrigger):
    """A trigger that blends a picture of the image's size."""

    pattern: Annotated[Annotated[_Drawing, SINGLE] | Annotated[Rows, LIST], ONE_OF] = "noise"
    """``noise``, uniform in every pixel and channel; ``checkerboard`` of white and black pixels;
    or rows of grey levels or RGB triples, 0 to 255, that are stretched over the image."""

    @model_validator(mode="after")
    def _rows_are_equal(self) -> Self:
        if isinstance(self.pattern, tuple):
            widths = sorted({len(row) for row in self.pattern})
            if len(widths) != 1 or widths == [0]:
                found = f"{len(self.pattern)} of {' or '.join(map(str, widths)) or 0}"
                raise ConfigError(f"pattern: expected rows of one length, got {found}")
        return self

    def picture(self, shape: Shape) -> Images:
        """Return the picture as it lies on an image, uint8 [C, H, W].

        Raises:
            ConfigError: If the trigger is not prepared, or its colours do not fit the channels.
        """
        channels, height, width = shape
        if self.pattern == "noise":
            random = generator(self.seed, "blended noise")
            return random.integers(0, 256, shape, dtype=np.uint8)
        if self.pattern == "checkerboard":
            bright = np.uint8(255) * checkerboard(height, width)
            return np.repeat(bright[None], channels, axis=0)
        whole = resize_by_area(from_rows(self.pattern), height, width)
        return to_channels(whole, channels, self.name)

    def mask(self, shape: Shape) -> Mask:
        """Return every pixel."""
        self.picture(shape)
        return np.ones(shape, dtype=np.bool_)


@final
@TRIGGERS.register(
    "blended",
    source="Chen, Liu, Li, Lu, Song 2017, Targeted Backdoor Attacks",
    link="https://arxiv.org/abs/1712.05526",
)
class Blended(Blending):
    """Blend a picture over the whole image.

    x' = (1 - alpha) x + alpha K, rounded to levels.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If ``noise`` is not prepared, or a coloured picture does not fit the channels.

    Deviations:
        The picture is drawn or given as rows; the paper's cartoon is not part of this package.
    """

    alpha: float = Field(0.2, gt=0, le=1)
    """Share of the picture in training."""
    alpha_test: float | None = Field(None, gt=0, le=1)
    """Share of the picture in test, which may be larger; as in training if not given."""

    def apply(self, images: Images) -> Images:
        """Return the images blended as in test."""
        return self._blended(images, self.alpha if self.alpha_test is None else self.alpha_test)

    def apply_in_training(self, images: Images, indices: Indices) -> Images:
        """Return the images blended as in training."""
        del indices
        return self._blended(images, self.alpha)

    def _blended(self, images: Images, alpha: float) -> Images:
        check_images(images, self.name)
        return blend(images, self.picture(images.shape[1:]), alpha)
