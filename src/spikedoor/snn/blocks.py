"""The few blocks every network is made of, with the activation left open.

Layers are made without values; `Architecture.build` draws them from the run's generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from spikedoor.snn.activations import Activation, Spiking
from spikedoor.snn.convolution import convolve
from spikedoor.snn.kernels import Pool
from spikedoor.snn.norm import BatchNorm, folded
from spikedoor.snn.signal import Signal

__all__ = [
    "Bare", "Centre", "Flatten", "Head", "Normalise", "Pooling", "PreActivated", "Residual",
    "Synapse", "Unit", "start_at_thresholds", "without_values",
]  # fmt: skip


def without_values(kind: type[nn.Module], *arguments: Any, **settings: Any) -> nn.Module:
    """Make a layer whose weights are yet to be drawn or loaded, on torch's default device."""
    return skip_init(kind, *arguments, device=torch.get_default_device(), **settings)


@final
class Synapse(nn.Module):
    """A convolution or linear layer with its batch norm.

    ``observer``, if set, is shown the layer's input, all frames of a call at once.
    """

    observer: Callable[[Tensor], object] | None = None

    def __init__(self, layer: nn.Conv2d | nn.Linear, norm: BatchNorm | None) -> None:
        super().__init__()
        self.layer = layer
        self.norm = norm

    @classmethod
    def conv(cls, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Synapse:
        """Make a convolution (padded to keep the size, no bias) with batch norm."""
        bare = cls.bare_conv(inputs, outputs, kernel, stride)
        return cls(bare.layer, BatchNorm(outputs))

    @classmethod
    def bare_conv(cls, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Synapse:
        """Make a convolution (padded to keep the size, no bias) without a norm."""
        layer = without_values(nn.Conv2d, inputs, outputs, kernel, stride, kernel // 2, bias=False)
        return cls(cast(nn.Conv2d, layer), None)

    @classmethod
    def linear(cls, inputs: int, outputs: int) -> Synapse:
        """Make a linear layer (no bias) with batch norm, without which deep neurons stay silent."""
        layer = without_values(nn.Linear, inputs, outputs, bias=False)
        return cls(cast(nn.Linear, layer), BatchNorm(outputs))

    def current(self, x: Tensor) -> Tensor:
        """Return the layer's output, before the norm."""
        if self.observer is not None:
            self.observer(x)
        return convolve(self.layer, x) if isinstance(self.layer, nn.Conv2d) else self.layer(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.current(x)
        return x if self.norm is None else self.norm(x)

    @torch.no_grad()
    def fold(self) -> None:
        """Merge the norm's inference form into the layer: ``W' = a W``, ``b' = a b + shift``."""
        if self.norm is None:
            return
        made = folded(self.layer.weight, self.layer.bias, *self.norm.scale_and_shift())
        self.layer.weight.copy_(made[0])
        self.layer.bias = nn.Parameter(made[1])
        self.norm = None


@final
class Pooling(nn.Module):
    """Pooling of any window, of a signal; a row or column that fills no window is cut off.

    Padding counts as values of 0 in an average, and not at all in a maximum.
    """

    def __init__(
        self,
        kind: Literal["max", "avg", "sum"],
        size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.kind, self.size, self.stride, self.padding = kind, size, stride, padding

    def forward(self, signal: Signal) -> Signal:
        return signal.map(self.pooled)

    def pooled(self, x: Tensor) -> Tensor:
        """Return pooled frames."""
        if self.kind == "max":
            return F.max_pool2d(x, self.size, self.stride, self.padding)
        divisor = 1 if self.kind == "sum" else None
        return F.avg_pool2d(x, self.size, self.stride, self.padding, divisor_override=divisor)


@final
class Unit(nn.Module):
    """Synapse, activation, and 2x2 pooling if any; ``before`` pools the current of the neurons."""

    def __init__(
        self,
        synapse: Synapse,
        activation: Activation,
        pool: Pool | None = None,
        before: Pooling | None = None,
    ) -> None:
        super().__init__()
        self.synapse, self.activation, self.pool, self.before = synapse, activation, pool, before

    def forward(self, signal: Signal) -> Signal:
        current, norm = self._current(signal), self.synapse.norm
        if self.before is None:
            return self.activation(current, norm, self.pool)
        if norm is not None:
            current = current.map(norm)
        return self.activation(self.before(current), None, self.pool)

    def _current(self, signal: Signal) -> Signal:
        """Return the synapse's current; in a run cut into pieces, one constant over time once."""
        if signal.memory is None or not signal.constant:
            return signal.map(self.synapse.current)
        if self.synapse not in signal.memory:
            signal.memory[self.synapse] = self.synapse.current(signal.data)
        return signal._replace(data=signal.memory[self.synapse])


@final
class Residual(nn.Module):
    """Basic residual block: two synapses and a shortcut, added before the last activation."""

    def __init__(
        self, first: Unit, second: Synapse, shortcut: Synapse | None, activation: Activation
    ) -> None:
        super().__init__()
        self.first, self.second, self.shortcut = first, second, shortcut
        self.activation = activation

    def forward(self, signal: Signal) -> Signal:
        through = self.first(signal).map(self.second)
        around = signal if self.shortcut is None else signal.map(self.shortcut)
        return self.activation(through._replace(data=through.data + around.data))


@final
class PreActivated(nn.Module):
    """Residual block with norm and activation before each of its synapses, none after the sum.

    A shortcut starts behind the first activation. The norms stand before the activations and not
    behind a synapse, so they cannot be folded into one.
    """

    def __init__(
        self,
        norms: tuple[BatchNorm, BatchNorm],
        activations: tuple[Activation, Activation],
        synapses: tuple[Synapse, Synapse],
        shortcut: Synapse | None,
    ) -> None:
        super().__init__()
        self.norms, self.activations = nn.ModuleList(norms), nn.ModuleList(activations)
        self.synapses, self.shortcut = nn.ModuleList(synapses), shortcut

    def forward(self, signal: Signal) -> Signal:
        first = self.activations[0](signal, self.norms[0])
        second = self.activations[1](first.map(self.synapses[0]), self.norms[1])
        around = signal if self.shortcut is None else first.map(self.shortcut)
        if around.constant:
            around = around.map(lambda _: around.over_time().flatten(0, 1))
        through = second.map(self.synapses[1])
        return through._replace(data=through.data + around.data)


@final
class Bare(nn.Module):
    """A synapse whose current goes on as it is."""

    def __init__(self, synapse: Synapse) -> None:
        super().__init__()
        self.synapse = synapse

    def forward(self, signal: Signal) -> Signal:
        return signal.map(self.synapse)


@final
class Centre(nn.Module):
    """Take pixels from [0, 1] to [-1, 1]."""

    def forward(self, signal: Signal) -> Signal:
        return signal.map(lambda x: 2 * x - 1)


@final
class Normalise(nn.Module):
    """Take each channel of the input to ``(x - mean) / std``; nothing of it is learned."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, signal: Signal) -> Signal:
        def normalised(x: Tensor) -> Tensor:
            mean, std = (x.new_tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
            return (x - mean) / std

        return signal.map(normalised)


@final
class Flatten(nn.Module):
    """Average maps to ``side`` x ``side`` pixels, where a side is given, and flatten.

    Features come in the order row, column, channel: that of the memory, so nothing is copied.
    """

    def __init__(self, side: int | None = None) -> None:
        super().__init__()
        self.side = side

    def forward(self, signal: Signal) -> Signal:
        def flat(x: Tensor) -> Tensor:
            if self.side == 1:
                return x.mean((2, 3))
            if self.side is not None and x.shape[2:] != (self.side, self.side):
                x = F.adaptive_avg_pool2d(x, self.side)
            return x.permute(0, 2, 3, 1).flatten(1)

        return signal.map(flat)


@final
class Head(nn.Module):
    """The last linear layer, always in full precision; its outputs go to the readout."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.layer = cast(nn.Linear, without_values(nn.Linear, inputs, classes))

    def forward(self, signal: Signal) -> Signal:
        def scores(x: Tensor) -> Tensor:
            with torch.autocast(x.device.type, enabled=False):
                return self.layer(x.to(self.layer.weight.dtype))

        return signal.map(scores)


@torch.no_grad()
def start_at_thresholds(network: nn.Module) -> None:
    """Make every batch norm threshold-dependent (tdBN; Zheng et al. 2021).

    The paper (https://arxiv.org/abs/2011.05280) normalises each channel over steps, samples and
    pixels, as `BatchNorm` does, to ``alpha V (x - mean) / std``, before a scale and shift that are
    learned. V is the threshold of the neurons behind, 1 for an ANN; alpha is 1, or 1 / sqrt(2) on
    the branches of a residual sum, so that the sum has the variance ``V ** 2`` too.

    Deviations:
        Scales start at ``alpha V`` in place of 1, and there is no factor beside them: currents are
        the published ones, and so is what can be learned, but steps of a given learning rate are
        not. A shortcut without a convolution has no norm, as elsewhere.
    """
    for block in network.modules():
        if isinstance(block, PreActivated):
            pairs = list(zip(block.norms, block.activations, strict=True))
        elif isinstance(block, Unit):
            pairs = [(block.synapse.norm, block.activation)]
        elif isinstance(block, Residual):
            branches = [s for s in (block.second, block.shortcut) if s is not None]
            pairs = [(synapse.norm, block.activation) for synapse in branches]
        else:
            continue
        alpha = 2**-0.5 if isinstance(block, Residual) else 1.0
        for norm, neurons in pairs:
            if isinstance(norm, BatchNorm):
                threshold = neurons.threshold_in_force if isinstance(neurons, Spiking) else 1.0
                norm.weight.fill_(alpha * threshold)
