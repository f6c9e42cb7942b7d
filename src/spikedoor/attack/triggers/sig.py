"""A sinusoid over the columns."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    Shape,
    Trigger,
    check_images,
)
from spikedoor.attack.triggers.levels import add

__all__ = ["Sinusoid"]


@final
@TRIGGERS.register(
    "sig",
    source="Barni, Kallas, Tondi 2019, A New Backdoor Attack in CNNs",
    link="https://arxiv.org/abs/1902.11237",
)
class Sinusoid(Trigger):
    """Add vertical stripes whose brightness is a sinusoid.

    x' = clip(x + delta sin(2 pi f j / W)), with column j = 0 to W - 1, in every channel.

    The paper poisons without changing labels: ``candidates = "target"`` of the attack.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the images are not uint8 [B, C, H, W].

    Deviations:
        The result is rounded to levels. The paper's ramp, which it uses on MNIST, is left out.
    """

    delta: float = Field(40.0, gt=0, le=255)
    """Amplitude in levels, in training."""
    delta_test: float | None = Field(None, gt=0, le=255)
    """Amplitude in test, which may be larger; as in training if not given."""
    frequency: float = Field(6.0, gt=0)
    """Periods over the width of the image; a multiple of W/2 gives no stripes at all."""

    def apply(self, images: Images) -> Images:
        """Return the images with the stripes as in test."""
        return self._striped(images, self.delta if self.delta_test is None else self.delta_test)

    def apply_in_training(self, images: Images, indices: Indices) -> Images:
        """Return the images with the stripes as in training."""
        del indices
        return self._striped(images, self.delta)

    def mask(self, shape: Shape) -> Mask:
        """Return the columns where the sinusoid is not zero."""
        return np.broadcast_to(np.abs(self._wave(shape[2])) > 1e-9, shape).copy()

    def _striped(self, images: Images, delta: float) -> Images:
        check_images(images, self.name)
        return add(images, delta * self._wave(images.shape[3]))

    def _wave(self, width: int) -> NDArray[np.float64]:
        return np.sin(2 * np.pi * self.frequency * np.arange(width) / width)
