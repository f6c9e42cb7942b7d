"""The network of the BadNets paper."""

from __future__ import annotations

from typing import Self, cast, final

from pydantic import Field, model_validator
from torch import nn

from spikedoor.snn.blocks import Centre, Flatten, Head, Synapse, Unit, without_values
from spikedoor.snn.networks.base import NETWORKS, Architecture, Make, Network, Shape

__all__ = ["BadNet"]


@final
@NETWORKS.register("badnet", "Gu et al. 2017, BadNets", "https://arxiv.org/abs/1708.06733")
class BadNet(Architecture):
    """Two convolutions of 5x5 with average pooling, and one hidden layer; no norm anywhere.

    On 28 px: 16c5-pool-32c5-pool-512-classes, the network of the BadNets paper for MNIST.

    Deviations:
        Frames under 16 px, too small for convolutions without padding, are padded by 2.
    """

    width: int = Field(16, ge=4, le=256)
    """Channels of the first convolution; the second has 2 and the hidden layer 32 times as many."""
    centre: bool = False
    """Take pixels from [0, 1] to [-1, 1] first, in place of a normalised data set."""

    @model_validator(mode="after")
    def _has_no_norm(self) -> Self:
        if self.norm != "bn":
            raise ValueError(f"network 'badnet' has no norm at all, so none of kind '{self.norm}'")
        return self

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        pad = 2 if min(shape[1:]) < 16 else 0
        blocks: list[nn.Module] = [Centre()] if self.centre else []
        channels, height, width = shape
        for outputs in (self.width, 2 * self.width):
            layer = cast(nn.Conv2d, without_values(nn.Conv2d, channels, outputs, 5, padding=pad))
            blocks.append(Unit(Synapse(layer, None), activation(), "avg"))
            channels = outputs
            height, width = ((side + 2 * pad - 4) // 2 for side in (height, width))
        hidden = 32 * self.width
        layer = cast(nn.Linear, without_values(nn.Linear, channels * height * width, hidden))
        unit = Unit(Synapse(layer, None), activation())
        return Network([*blocks, Flatten(), unit], Head(hidden, classes))
