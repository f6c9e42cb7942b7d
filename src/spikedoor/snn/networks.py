"""Networks by name; one definition serves as ANN and as SNN."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Literal, final

import torch
from pydantic import Field
from torch import Tensor, nn

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.rng import torch_generator
from spikedoor.snn.activations import Activation
from spikedoor.snn.blocks import Flatten, Head, Residual, Synapse, Unit, start_at_thresholds
from spikedoor.snn.kernels import Pool
from spikedoor.snn.signal import Signal

__all__ = ["NETWORKS", "VGG", "Architecture", "Network", "ResNet", "SmallConv"]

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
        plan = [w if isinstance(w, str) else _scaled(w, self.width) for w in _VGG[self.depth]]
        stride = 2 if max(shape[1:]) > 64 else 1
        units, channels, _ = _convolutions(plan, shape, activation, self.pool, stride)
        if self.depth > 9:
            return Network([*units, Flatten(1)], Head(channels, classes))
        hidden = _scaled(512, self.width)
        unit = Unit(Synapse.linear(channels * 16, hidden), activation())
        return Network([*units, Flatten(4), unit], Head(hidden, classes))


def _scaled(width: int, factor: float) -> int:
    return max(8, round(width * factor / 8) * 8)


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
        widths = [_scaled(w, self.width) for w in stages]
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
