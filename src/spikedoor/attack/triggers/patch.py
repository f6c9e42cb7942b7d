"""A small square in a corner."""

from __future__ import annotations

from typing import Annotated, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from spikedoor.attack.triggers.base import TRIGGERS, Images, Mask, Shape, Trigger, check_images
from spikedoor.attack.triggers.patterns import (
    COLOUR_SQUARE,
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

__all__ = ["Patch"]


_Pixels = Annotated[int, Field(ge=0)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Drawing = Literal["solid", "checkerboard", "colour"]


@final
@TRIGGERS.register(
    "patch",
    source="Gu, Dolan-Gavitt, Garg 2017, BadNets",
    link="https://arxiv.org/abs/1708.06733",
)
class Patch(Trigger):
    """Overwrite a square in one corner of the image.

    x'[c, y, x] = picture[c, y - top, x - left] inside the square, x elsewhere.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the square does not fit into the image, or the channels do not match.

    Deviations:
        The colour square is held as 5x5 area averages of the published picture and scaled by
        area. The released code of arXiv 2409.15670 scales the picture itself with its image
        library's default filter, so single levels differ.
    """

    size: int = Field(3, ge=1)
    """Side of the square in pixels."""
    corner: Literal["bottom-right", "bottom-left", "top-left", "top-right"] = "bottom-right"
    """Which corner of the image the square sits in."""
    placement: Literal["flush", "released-code"] = "flush"
    """``flush`` touches both edges. ``released-code`` keeps one side's length away from the left
    and the top edge, as the code of arXiv 2409.15670 does (its bottom-right is flush)."""
    inset: tuple[_Pixels, _Pixels] = (0, 0)
    """Pixels (x, y) by which the square moves further inwards."""
    pattern: Annotated[Annotated[_Drawing, SINGLE] | Annotated[Rows, LIST], ONE_OF] = "solid"
    """``solid``; ``checkerboard`` of the value and black, upper left bright; ``colour``, the
    multi-colour square of the released code; or rows of grey levels or RGB triples, 0 to 255."""
    value: Annotated[
        Annotated[_Fraction, SINGLE] | Annotated[tuple[_Fraction, ...], LIST], ONE_OF
    ] = 1.0
    """Brightness of ``solid`` and ``checkerboard``, 0 to 1, or one for each channel."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.value != 1.0 and self.pattern not in ("solid", "checkerboard"):
            raise ConfigError("'value' has no effect on a coloured pattern; leave it out")
        if isinstance(self.pattern, tuple):
            rows, widths = len(self.pattern), sorted({len(row) for row in self.pattern})
            if rows != self.size or widths != [self.size]:
                found = f"{rows} rows of {' or '.join(map(str, widths)) or 0}"
                raise ConfigError(f"pattern: expected {self.size} rows of {self.size}, got {found}")
        return self

    def apply(self, images: Images) -> Images:
        """Return copies of the images with the square on them."""
        check_images(images, self.name)
        rows, columns = self._square(images.shape[2], images.shape[3])
        marked = images.copy()
        marked[:, :, rows, columns] = self._picture(images.shape[1])
        return marked

    def mask(self, shape: Shape) -> Mask:
        """Return the square, in every channel."""
        channels, height, width = shape
        self._picture(channels)
        covered = np.zeros(shape, dtype=np.bool_)
        covered[:, *self._square(height, width)] = True
        return covered

    def _square(self, height: int, width: int) -> tuple[slice, slice]:
        vertical, horizontal = self.corner.split("-")
        margin = self.size if self.placement == "released-code" else 0
        x, y = self.inset
        left = margin + x if horizontal == "left" else width - self.size - x
        top = margin + y if vertical == "top" else height - self.size - y
        if min(left, top) < 0 or left + self.size > width or top + self.size > height:
            raise ConfigError(
                f"trigger '{self.name}': a {self.size}x{self.size} square with its upper left "
                f"corner at x={left}, y={top} does not fit into a {width}x{height} image"
            )
        return slice(top, top + self.size), slice(left, left + self.size)

    def _picture(self, channels: int) -> Images:
        """Return the square's content, uint8 [C, size, size]."""
        if self.pattern == "colour":
            return to_channels(
                resize_by_area(COLOUR_SQUARE, self.size, self.size), channels, self.name
            )
        if isinstance(self.pattern, tuple):
            return to_channels(from_rows(self.pattern), channels, self.name)
        values = self.value if isinstance(self.value, tuple) else (self.value,) * channels
        if len(values) != channels:
            raise ConfigError(
                f"trigger '{self.name}': {len(values)} values for images of {channels} channels"
            )
        levels = np.rint(255 * np.array(values)).astype(np.uint8)
        bright = (
            np.ones((self.size, self.size))
            if self.pattern == "solid"
            else checkerboard(self.size, self.size)
        )
        return levels[:, None, None] * bright.astype(np.uint8)
