"""The channels of a network: which weights and norm make the current of which neurons.

Pairs are found by how blocks are built, not by the order of modules, which is wrong where a norm
stands before its convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation, Spiking
from spikedoor.snn.blocks import PreActivated, Residual, Synapse, Unit
from spikedoor.snn.networks import Network
from spikedoor.snn.norm import BatchNorm
from spikedoor.victim import Stage
from spikedoor.victim.wrapped.tap import Tap

__all__ = ["Layer", "layers", "neurons"]


@dataclass(frozen=True, eq=False)
class Layer:
    """The neurons of one activation, by channel (of a linear layer, by neuron).

    Args:
        path: Of the activation in the network; what a probe calls the layer.
        activation: The neurons.
        parts: The weights that make their current, each with the norm behind it, None where it is
            folded or there is none; several where branches are added up. Without weights, the
            norm's input is a sum that others use too.
        norm: A norm without weights of its own before it, as in pre-activation blocks. Of a wrapped
            module, the gain on what the neurons send on: their current is not known.
    """

    path: str
    activation: Activation
    parts: tuple[tuple[nn.Conv2d | nn.Linear, BatchNorm | None], ...]
    norm: BatchNorm | Tap | None = None

    @property
    def maps(self) -> bool:
        """Whether its channels are those of a convolution, or maps of a wrapped module."""
        of_tap = isinstance(self.norm, Tap) and self.norm.maps
        return of_tap or any(isinstance(weights, nn.Conv2d) for weights, _ in self.parts)

    @property
    def channels(self) -> int:
        """Number of channels."""
        norm = self.norm
        return len(self.parts[0][0].weight) if self.parts else len(norm.weight) if norm else 0

    @torch.no_grad()
    def prune(self, channels: NDArray[np.integer]) -> None:
        """Take all current from some channels, in place.

        Weights, bias and the norm's shift go, so that nothing is left that could charge a neuron:
        one that starts below its threshold never spikes again.
        """
        for values in self._parameters():
            values[_indices(channels, values)] = 0

    @contextmanager
    def held(self, channels: NDArray[np.integer]) -> Iterator[None]:
        """Keep all gradients from some channels, so that pruned ones stay so while one trains.

        Weights of 0 without a gradient stay there under any optimiser: decay and momentum are 0.
        """

        def without(values: Tensor) -> Callable[[Tensor], Tensor]:
            chosen = _indices(channels, values)
            return lambda gradient: gradient.index_fill(0, chosen, 0)

        learned = [values for values in self._parameters() if values.requires_grad]
        hooks = [values.register_hook(without(values)) for values in learned]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _parameters(self) -> list[Tensor]:
        """Return all that makes the current, each [channels, ...]."""
        norms = [self.norm, *(norm for _, norm in self.parts)]
        modules = [*(weights for weights, _ in self.parts), *(n for n in norms if n is not None)]
        found = [values for module in modules for values in (module.weight, module.bias)]
        return [values for values in found if values is not None]

    @torch.no_grad()
    def effective_weights(self) -> Tensor | None:
        """Return the weights with their norms merged in, [channels, inputs]; None without any.

        Branches that are added up stand side by side.
        """
        found = []
        for layer, norm in self.parts:
            weight = layer.weight.flatten(1)
            if norm is not None:
                weight = weight * norm.scale_and_shift()[0][:, None]
            found.append(weight)
        return torch.cat(found, 1) if found else None


def layers(network: Network) -> list[Layer]:
    """Return the layers whose channels can be pruned alone, in the order of the signal.

    Left out are neurons behind an identity shortcut: what reaches them past the weights could only
    be taken away from all others too.
    """
    paths: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
    return [layer for block in network.modules() for layer in _of(block, paths)]


def neurons(stage: Stage, method: str) -> dict[str, Spiking]:
    """Return the layers of neurons whose threshold, leak and current can be set, by path.

    Raises:
        ConfigError: If the stage has none; names the method that needs them.
    """
    modules = stage.network.named_modules()
    found = {path: module for path, module in modules if isinstance(module, Spiking)}
    if not found:
        why = "has no spiking neurons"
        if stage.blueprint.neuron is not None:
            why = "is a wrapped module, whose neurons are not ours to set"
        raise ConfigError(
            f"defence '{method}' alters neurons, but stage '{stage.name}' {why}; expected a "
            "spiking stage of ours, such as `from_module` makes of a plain chain of layers"
        )
    return found


def _of(block: nn.Module, paths: dict[nn.Module, str]) -> Iterator[Layer]:
    if isinstance(block, Tap):
        yield Layer(paths[block], block, (), block)
    elif isinstance(block, Unit):
        yield Layer(paths[block.activation], block.activation, (_pair(block.synapse),))
    elif isinstance(block, Residual) and block.shortcut is not None:
        pairs = _pair(block.second), _pair(block.shortcut)
        yield Layer(paths[block.activation], block.activation, pairs)
    elif isinstance(block, PreActivated):
        before, between = (cast(BatchNorm, norm) for norm in block.norms)
        first, second = (cast(Activation, activation) for activation in block.activations)
        yield Layer(paths[first], first, (), before)
        inner = cast(Synapse, block.synapses[0])
        yield Layer(paths[second], second, ((inner.layer, between),))


def _indices(channels: NDArray[np.integer], like: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(channels, dtype=np.int64), device=like.device)


def _pair(synapse: Synapse) -> tuple[nn.Conv2d | nn.Linear, BatchNorm | None]:
    return synapse.layer, synapse.norm
