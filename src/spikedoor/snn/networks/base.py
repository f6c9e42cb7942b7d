"""What a network is, and what every plan of one offers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.rng import torch_generator
from spikedoor.snn.activations import Activation
from spikedoor.snn.blocks import Head, Synapse, start_at_thresholds
from spikedoor.snn.signal import Signal

__all__ = ["NETWORKS", "Architecture", "Make", "Network", "Shape", "scaled"]

NETWORKS = Family("network", home="spikedoor.snn.networks")

Shape = tuple[int, int, int]
Make = Callable[[], Activation]


@final
class Network(nn.Module):
    """Blocks in a row and a head.

    Shapes:
        forward: `Signal` of (…, C, H, W) -> (steps, batch, classes), the head's output at each
            step. An ANN is the same with one step.
    """

    def __init__(self, blocks: list[nn.Module], head: Head) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    def forward(self, signal: Signal) -> Tensor:
        for block in self.blocks:
            signal = block(signal)
        return self.head(signal).over_time()

    def synapses(self) -> Iterator[Synapse]:
        """Yield every synapse but the head's, in order."""
        return (module for module in self.modules() if isinstance(module, Synapse))


class Architecture(Component):
    """A network's plan; `build` makes the network with any activation."""

    family = NETWORKS

    in_pieces: ClassVar[bool] = True
    """Whether a run can be simulated a few steps at a time."""

    norm: Literal["bn", "tdbn"] = "bn"
    """Batch norm, or its threshold-dependent form: the scale starts at the threshold, not at 1."""

    def build(self, shape: Shape, classes: int, activation: Make, seed: int | None) -> Network:
        """Make a network.

        Args:
            shape: Channels, height and width of a frame, 8 to 128 px.
            classes: Number of classes.
            activation: Makes one activation a call, for each place that needs one.
            seed: Weights are drawn from ``(seed, "init")``; equal for ANN and SNN. None leaves
                them without values, to be loaded.

        Raises:
            ConfigError: If frames are smaller or larger than that.
        """
        if not 8 <= min(shape[1:]) <= max(shape[1:]) <= 128:
            raise ConfigError(
                f"network '{self.name}' takes frames of 8 to 128 px, got {shape[1]}x{shape[2]}"
            )
        network = self._plan(shape, classes, activation)
        if self.norm == "tdbn":
            start_at_thresholds(network)
        if seed is not None:
            _initialise(network, torch_generator(seed, "init"))
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network: ...


@torch.no_grad()
def _initialise(network: Network, generator: torch.Generator) -> None:
    """Draw weights and biases uniformly within ``1 / sqrt(fan in)``, torch's default for both."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(module.weight[0].numel())
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)


def scaled(width: int, factor: float) -> int:
    """Return a number of channels times a factor, rounded to a multiple of 8."""
    return max(8, round(width * factor / 8) * 8)
