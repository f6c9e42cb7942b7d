"""Networks without shortcuts: one unit after the other."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field
from torch import nn

from spikedoor.snn.blocks import Flatten, Head, Synapse, Unit
from spikedoor.snn.kernels import Pool
from spikedoor.snn.networks.base import NETWORKS, Architecture, Make, Network, Shape, scaled

__all__ = ["VGG", "SmallConv"]


def _convolutions(
    widths: list[int | str], shape: Shape, activation: Make, pool: Pool, stride: int = 1
) -> tuple[list[nn.Module], int, int]:
    """Stack units after a plan such as ``[64, "pool", 128]``; maps of one pixel are not pooled.

    Returns:
        The units, their output channels, and the side of their output maps.
    """
    channels, side = shape[0], min(shape[1:])
    units: list[nn.Module] = []
    for i, width in enumerate(widths):
        if isinstance(width, str):
            continue
        halve = widths[i + 1 : i + 2] == ["pool"]
        step = stride if not units else 1
        side = -(-side // step)
        poolable = halve and side >= 2
        synapse = Synapse.conv(channels, width, stride=step)
        units.append(Unit(synapse, activation(), pool if poolable else None))
        channels, side = width, side // 2 if poolable else side
    return units, channels, side


@final
@NETWORKS.register("small-conv")
class SmallConv(Architecture):
    """Small conv net: units of width w, 2w, 4w, ... pooled down to 8 px or less, then 4w hidden.

    On 28 px and width 32: 32c3-pool-64c3-pool-128-classes, as in public SNN benchmarks.
    """

    width: int = Field(32, ge=4, le=1024)
    """Channels of the first unit."""
    pool: Pool = "avg"
    """Kind of pooling; converters refuse ``max``, as the largest spike is not the largest rate."""

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        stages = 2
        while max(shape[1:]) >> stages > 8 and min(shape[1:]) >> stages > 1:
            stages += 1
        plan: list[int | str] = []
        for i in range(stages):
            plan += [self.width * min(2**i, 4), "pool"]
        units, channels, _ = _convolutions(plan, shape, activation, self.pool)
        height, width = (side >> stages for side in shape[1:])
        hidden = Unit(Synapse.linear(channels * height * width, 4 * self.width), activation())
        return Network([*units, Flatten(), hidden], Head(4 * self.width, classes))


_VGG: dict[int, list[int | str]] = {
    5: [64, "pool", 128, 128, "pool"],
    9: [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool"],
    11: [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"],
    16: [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool"] + [512, 512, 512, "pool"] * 2,
}


@final
@NETWORKS.register("vgg", "Simonyan and Zisserman 2015", "https://arxiv.org/abs/1409.1556")
class VGG(Architecture):
    """VGG with batch norm, in the form common for small images.

    Depths 5 and 9 end in one hidden layer of 512 (times width) on maps of at most 4 px; 11 and 16
    end in global averaging. Frames above 64 px enter through a convolution of stride 2.

    Deviations:
        The original ends in two hidden layers of 4096; 11 and 16 count them in their names.
    """

    depth: Literal[5, 9, 11, 16] = 11
    """Number of layers, as in the name."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on all channels, rounded to a multiple of 8."""
    pool: Pool = "avg"
    """Kind of pooling; converters refuse ``max``, as the largest spike is not the largest rate."""

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        plan = [w if isinstance(w, str) else scaled(w, self.width) for w in _VGG[self.depth]]
        stride = 2 if max(shape[1:]) > 64 else 1
        units, channels, _ = _convolutions(plan, shape, activation, self.pool, stride)
        if self.depth > 9:
            return Network([*units, Flatten(1)], Head(channels, classes))
        hidden = scaled(512, self.width)
        unit = Unit(Synapse.linear(channels * 16, hidden), activation())
        return Network([*units, Flatten(4), unit], Head(hidden, classes))
