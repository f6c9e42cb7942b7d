"""Smooth noise."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Mask,
    RandomTrigger,
    Shape,
    check_images,
)
from spikedoor.attack.triggers.levels import add
from spikedoor.rng import generator

__all__ = ["LowFrequency"]


@final
@TRIGGERS.register(
    "low-frequency",
    source="Zeng, Park, Mao, Jia 2021, Rethinking the Backdoor Attacks' Triggers",
    link="https://arxiv.org/abs/2104.03413",
)
class LowFrequency(RandomTrigger):
    """Add a smooth random pattern.

    x' = clip(x + epsilon g / max|g|), where g is normal noise behind a Gaussian low-pass filter, in
    each channel by itself. In the frequency domain the filter is exp(-2 (pi sigma f)^2), f in
    cycles per pixel.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the trigger is not prepared.

    Deviations:
        The paper optimises the pattern on a clean model, under the same low-pass filter. This is
        the form without a model: any smooth pattern of the budget.
    """

    epsilon: float = Field(16.0, gt=0, le=255)
    """Largest change of a level."""
    sigma: float = Field(2.0, gt=0)
    """Standard deviation of the filter in pixels."""

    def apply(self, images: Images) -> Images:
        """Return the images with the pattern added."""
        check_images(images, self.name)
        return add(images, self._pattern(images.shape[1:]))

    def mask(self, shape: Shape) -> Mask:
        """Return where the pattern is not zero."""
        return self._pattern(shape) != 0

    def _pattern(self, shape: Shape) -> NDArray[np.float64]:
        """Return what is added, [C, H, W]."""
        from scipy.ndimage import gaussian_filter

        noise = generator(self.seed, "low-frequency noise").standard_normal(shape)
        smooth = gaussian_filter(noise, (0, self.sigma, self.sigma), mode="wrap")
        return smooth * (self.epsilon / np.abs(smooth).max())
