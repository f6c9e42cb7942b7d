"""Residual networks, with activations after or before their convolutions."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field
from torch import nn

from spikedoor.snn.blocks import Bare, Flatten, Head, PreActivated, Residual, Synapse, Unit
from spikedoor.snn.kernels import Pool
from spikedoor.snn.networks.base import NETWORKS, Architecture, Make, Network, Shape, scaled
from spikedoor.snn.norm import BatchNorm

__all__ = ["PreActResNet", "ResNet"]

_RESNET = {18: ([64, 128, 256, 512], 2), 20: ([16, 32, 64], 3)}


@final
@NETWORKS.register("resnet", "He et al. 2016", "https://arxiv.org/abs/1512.03385")
class ResNet(Architecture):
    """ResNet with basic blocks, in its CIFAR form: 3x3 stem, global average at the end.

    Depth 18 has four stages of two blocks from 64 channels, depth 20 three stages of three from
    16. Frames above 64 px enter through a stem of stride 2 and a pool.
    """

    depth: Literal[18, 20] = 18
    """Number of layers, as in the name."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on all channels, rounded to a multiple of 8."""
    pool: Pool = "avg"
    """Kind of pooling in the stem of frames above 64 px."""

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        stages, repeats = _RESNET[self.depth]
        widths = [scaled(w, self.width) for w in stages]
        large = max(shape[1:]) > 64
        stem = Synapse.conv(shape[0], widths[0], stride=2 if large else 1)
        blocks: list[nn.Module] = [Unit(stem, activation(), self.pool if large else None)]
        channels = widths[0]
        for i, width in enumerate(widths):
            for j in range(repeats):
                stride = 2 if i and not j else 1
                first = Unit(Synapse.conv(channels, width, stride=stride), activation())
                change = stride > 1 or channels != width
                shortcut = Synapse.conv(channels, width, 1, stride) if change else None
                blocks.append(Residual(first, Synapse.conv(width, width), shortcut, activation()))
                channels = width
        return Network([*blocks, Flatten(1)], Head(channels, classes))


@final
@NETWORKS.register("preact-resnet", "He et al. 2016", "https://arxiv.org/abs/1603.05027")
class PreActResNet(Architecture):
    """ResNet of depth 18 with norm and activation before each convolution, in its CIFAR form.

    It is the network of BackdoorBench. A norm before an activation cannot be folded into a
    convolution, so converters refuse it; the rules `ann` and `direct` train it. Frames above 64 px
    enter through a stem of stride 2.

    Deviations:
        No norm and activation follow the last block, as is common in code for CIFAR.
    """

    width: float = Field(1.0, gt=0, le=4)
    """Factor on all channels, rounded to a multiple of 8."""

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        stages, repeats = _RESNET[18]
        widths = [scaled(w, self.width) for w in stages]
        stem = Synapse.bare_conv(shape[0], widths[0], stride=2 if max(shape[1:]) > 64 else 1)
        blocks: list[nn.Module] = [Bare(stem)]
        channels = widths[0]
        for i, width in enumerate(widths):
            for j in range(repeats):
                stride = 2 if i and not j else 1
                change = stride > 1 or channels != width
                blocks.append(
                    PreActivated(
                        (BatchNorm(channels), BatchNorm(width)),
                        (activation(), activation()),
                        (
                            Synapse.bare_conv(channels, width, stride=stride),
                            Synapse.bare_conv(width, width),
                        ),
                        Synapse.bare_conv(channels, width, 1, stride) if change else None,
                    )
                )
                channels = width
        return Network([*blocks, Flatten(1)], Head(channels, classes))
