"""A network that is given layer by layer."""

from __future__ import annotations

import math
from typing import cast, final

from pydantic import Field
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation, Spiking
from spikedoor.snn.blocks import (
    Bare,
    Flatten,
    Head,
    Normalise,
    Pooling,
    Synapse,
    Unit,
    without_values,
)
from spikedoor.snn.networks import layers as kinds
from spikedoor.snn.networks.base import NETWORKS, Architecture, Make, Network, Shape
from spikedoor.snn.norm import BatchNorm

__all__ = ["Layered"]

_LARGEST = 1 << 24  # values of one sample between two layers


@final
@NETWORKS.register("layered")
class Layered(Architecture):
    """A plain list of layers, with a linear layer to the classes behind them.

    A convolution or linear layer with its norm, the neurons behind it and a pool between them are
    one unit, of which a defence can prune channels. This is how a network from elsewhere comes.
    """

    layers: tuple[kinds.Layer, ...] = Field(
        (
            kinds.Convolution(outputs=16),
            kinds.Norm(),
            kinds.Spikes(),
            kinds.Pool(),
            kinds.Flattening(),
        ),
        max_length=256,
    )
    """The layers in the order of the signal, but the last linear one."""

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        stack = _Stack(shape, activation)
        for place, layer in enumerate(self.layers):
            try:
                stack.add(layer)
            except ConfigError as error:
                raise ConfigError(f"network 'layered', layers.{place}: {error}") from None
        stack.flatten()
        return Network(stack.blocks, Head(stack.frame[0], classes))


class _Stack:
    """Blocks that are stacked layer by layer; a synapse waits for what belongs to it."""

    def __init__(self, shape: Shape, activation: Make) -> None:
        self.blocks: list[nn.Module] = []
        self.frame: kinds.Frame = shape
        self._activation = activation
        self._synapse: Synapse | None = None
        self._pool: Pooling | None = None

    def add(self, layer: kinds.Layer) -> None:
        """Stack one more layer."""
        if isinstance(layer, kinds.Linear):
            self.flatten()
        before, self.frame = self.frame, layer.shape(self.frame)
        if math.prod(self.frame) > _LARGEST:
            raise ConfigError(f"expected at most {_LARGEST} values, got {self.frame}")
        match layer:
            case kinds.Convolution() | kinds.Linear():
                self._close()
                self._synapse = Synapse(_weights(layer, before[0]), None)
            case kinds.Norm():
                if self._synapse is None or self._synapse.norm is not None or self._pool:
                    raise ConfigError("expected a norm right behind a convolution or linear layer")
                self._synapse.norm = BatchNorm(self.frame[0], layer.eps)
            case kinds.Pool():
                self._add_pool(layer)
            case kinds.Spikes():
                self._add_neurons(self._neurons(layer))
            case kinds.Flattening():
                self._close()
                self.blocks.append(Flatten())
            case kinds.Normalisation():
                self._close()
                self.blocks.append(Normalise(layer.mean, layer.std))
            case _:
                raise ConfigError(f"a network cannot have the layer '{layer.name}'")

    def flatten(self) -> None:
        """Flatten what are maps, at the end and before a linear layer."""
        if len(self.frame) == 3:
            self.add(kinds.Flattening())
        self._close()

    def _close(self) -> None:
        """Let the current of a synapse go on as it is, if no neurons take it."""
        if self._synapse is not None:
            self.blocks.append(Bare(self._synapse))
        if self._pool is not None:
            self.blocks.append(self._pool)
        self._synapse = self._pool = None

    def _add_pool(self, layer: kinds.Pool) -> None:
        pool = Pooling(layer.kind, layer.size, layer.stride, layer.padding)
        last = self.blocks[-1] if self.blocks else None
        halves = layer.size == layer.stride == (2, 2) and layer.padding == (0, 0)
        if self._synapse is not None and self._pool is None:
            self._pool = pool
        elif self._synapse is None and isinstance(last, Unit) and last.pool is None and halves:
            # The kernel of the neurons does this one with them; a sum is four times the average.
            if layer.kind == "sum":
                self.blocks.append(pool)
            else:
                last.pool = layer.kind
        else:
            self._close()
            self.blocks.append(pool)

    def _neurons(self, layer: kinds.Spikes) -> Activation:
        made = self._activation()
        if layer.neuron is None:
            return made
        if not isinstance(made, Spiking):
            raise ConfigError(
                f"neurons of their own ('{layer.neuron.name}') stand here, so this network has no "
                "ANN: train it directly"
            )
        return layer.neuron.build()

    def _add_neurons(self, neurons: Activation) -> None:
        if self._synapse is None:
            self.blocks.append(neurons)
        else:
            self.blocks.append(Unit(self._synapse, neurons, before=self._pool))
            self._synapse = self._pool = None


def _weights(layer: kinds.Convolution | kinds.Linear, inputs: int) -> nn.Conv2d | nn.Linear:
    """Make the weights of a layer, without values."""
    if isinstance(layer, kinds.Linear):
        return cast(nn.Linear, without_values(nn.Linear, inputs, layer.outputs, bias=layer.bias))
    names = ("stride", "padding", "dilation", "groups", "bias")
    settings = {name: getattr(layer, name) for name in names}
    made = without_values(nn.Conv2d, inputs, layer.outputs, layer.kernel, **settings)
    return cast(nn.Conv2d, made)
