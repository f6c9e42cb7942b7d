"""A mark in the frequency domain."""

from __future__ import annotations

from typing import Annotated, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Mask,
    Shape,
    Trigger,
    check_images,
)
from spikedoor.attack.triggers.levels import add
from spikedoor.errors import ConfigError

__all__ = ["FTrojan"]

_Index = Annotated[int, Field(ge=0)]

# ITU-R BT.601, full range: what one step of Cb and one of Cr together change in R, G and B.
_CHROMA_TO_RGB = np.array([1.402, -0.344136 - 0.714136, 1.772])


@final
@TRIGGERS.register(
    "ftrojan",
    source="Wang, Yao, Xu, An, Tong, Wang 2022, FTrojan",
    link="https://arxiv.org/abs/2111.10991",
)
class FTrojan(Trigger):
    """Raise a few DCT coefficients of the chroma channels in every block.

    x' = clip(x + A sum_(u,v) IDCT(m at (u, v))), for both chroma channels of YCbCr, A their share
    in R, G and B; DCT-II, orthonormal, over blocks of w x w pixels. DCT and change of colour are
    linear, so the mark is one fixed pattern, added to the pixels.

    Images of one channel have no chroma: the coefficients of the grey channel are raised. An image
    smaller than a block is one block of its shorter side, with the positions at the same share
    of the highest frequency. What is left over at the right and the lower edge stays as it was.

    Shapes:
        images and result: uint8 [B, C, H, W] with C of 1 or 3.

    Raises:
        ConfigError: If the images have another number of channels.

    Deviations:
        Chroma is that of BT.601 at full range. The result is rounded to levels once, at the end.
    """

    magnitude: float = Field(30.0, gt=0)
    """What is added to each coefficient m, in levels."""
    window: int = Field(32, ge=2)
    """Side w of a block in pixels."""
    positions: tuple[tuple[_Index, _Index], ...] = Field(((15, 15), (31, 31)), min_length=1)
    """Which coefficients (u, v) of a block are raised."""

    @model_validator(mode="after")
    def _positions_lie_inside(self) -> Self:
        for position in self.positions:
            if max(position) >= self.window:
                raise ConfigError(
                    f"position {list(position)} lies outside a block of {self.window}x{self.window}"
                )
        return self

    def apply(self, images: Images) -> Images:
        """Return the images with the pattern added."""
        check_images(images, self.name)
        return add(images, self._pattern(images.shape[1:]))

    def mask(self, shape: Shape) -> Mask:
        """Return the full blocks."""
        return self._pattern(shape) != 0

    def _pattern(self, shape: Shape) -> NDArray[np.float64]:
        """Return what is added, [C, H, W]."""
        channels, height, width = shape
        if channels not in (1, 3):
            raise ConfigError(
                f"trigger '{self.name}': expected images of 1 or 3 channels, got {channels}"
            )
        block = self._block(min(self.window, height, width))
        side = len(block)
        whole = np.zeros((height, width))
        down, across = height // side, width // side
        whole[: down * side, : across * side] = np.tile(block, (down, across))
        shares = np.ones(1) if channels == 1 else _CHROMA_TO_RGB
        return shares[:, None, None] * whole

    def _block(self, side: int) -> NDArray[np.float64]:
        from scipy.fft import idctn

        coefficients = np.zeros((side, side))
        for position in self.positions:
            u, v = (index * (side - 1) // (self.window - 1) for index in position)
            coefficients[u, v] += self.magnitude
        return np.asarray(idctn(coefficients, norm="ortho"))
