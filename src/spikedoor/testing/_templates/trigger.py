"""A trigger of your own: a bright cross in the lower right corner of the image."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from spikedoor.attack.triggers import TRIGGERS, Images, Mask, Shape, Trigger, check_images
from spikedoor.errors import ConfigError

__all__ = ["MyTrigger"]


@final
@TRIGGERS.register("my-trigger")
class MyTrigger(Trigger):
    """Draw a cross in the lower right corner of the image.

    x'[c, y, x] = 255 value on the cross, x elsewhere.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the cross does not fit into the image.
    """

    arm: int = Field(1, ge=1)
    """Length of each of its four arms in pixels."""
    value: float = Field(1.0, ge=0, le=1)
    """Brightness."""

    def apply(self, images: Images) -> Images:
        """Return copies of the images with the cross on them."""
        check_images(images, self.name)
        _, channels, height, width = images.shape
        marked = images.copy()
        marked[:, self.mask((channels, height, width))] = round(255 * self.value)
        return marked

    def mask(self, shape: Shape) -> Mask:
        """Return the cross, in every channel."""
        _, height, width = shape
        y, x = height - 1 - self.arm, width - 1 - self.arm  # the middle of the cross
        if min(y, x) < self.arm:
            raise ConfigError(
                f"trigger '{self.name}': a cross with arms of {self.arm} px does not fit into "
                f"a {width}x{height} image"
            )
        covered = np.zeros(shape, dtype=np.bool_)
        covered[:, y - self.arm : y + self.arm + 1, x] = True
        covered[:, y, x - self.arm : x + self.arm + 1] = True
        return covered
