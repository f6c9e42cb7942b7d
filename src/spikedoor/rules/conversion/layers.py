"""Where the activations of a network are, and ways to run it so that they can be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from spikedoor.snn.activations import Activation, Spiking
from spikedoor.snn.blocks import Residual, Synapse, Unit
from spikedoor.snn.kernels import sparse
from spikedoor.snn.networks import Network
from spikedoor.snn.neurons import Neuron
from spikedoor.snn.signal import Signal

__all__ = ["Place", "means", "observe", "places", "put", "run", "shift"]

_FRAMES = 512  # simulated at once

T = TypeVar("T")


class Place(NamedTuple):
    """One activation of a network.

    Args:
        name: Path of the module.
        block: Index of the block it is in.
        synapse: Its bias is part of the current; in a residual block, that of the main branch.
    """

    name: str
    block: int
    synapse: Synapse

    def of(self, network: Network) -> Activation:
        """Return what stands here now, in this network or in a copy of it."""
        return cast(Activation, network.get_submodule(self.name))


def places(network: Network) -> list[Place]:
    """Return the places of all activations, in the order of the signal."""
    found = []
    for i, block in enumerate(network.blocks):
        if isinstance(block, Unit):
            found.append(Place(f"blocks.{i}.activation", i, block.synapse))
        elif isinstance(block, Residual):
            found.append(Place(f"blocks.{i}.first.activation", i, block.first.synapse))
            found.append(Place(f"blocks.{i}.activation", i, block.second))
    return found


def put(
    network: Network, place: Place, neuron: Neuron, threshold: float, initial: float = 0.0
) -> Spiking:
    """Put neurons in a place, with spikes as high as the threshold.

    They start at ``initial`` times the threshold. A layer that never was active gets a threshold
    of 1.
    """
    layer = neuron.build().to(place.synapse.layer.weight.device).eval()
    layer.threshold.fill_(threshold if threshold > 0 else 1.0)
    layer.amplitude.copy_(layer.threshold)
    layer.initial.copy_(initial * layer.threshold)
    network.set_submodule(place.name, layer)
    return layer


def shift(synapse: Synapse, amount: float | Tensor) -> None:
    """Add to the bias of a folded synapse."""
    layer = synapse.layer
    bias = layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach()
    layer.bias = nn.Parameter(bias + amount)


def run(network: Network, images: Tensor, steps: int, last: Place) -> None:
    """Run the blocks up to a place on a constant input, few steps at a time."""
    memory: dict[nn.Module, Tensor] = {}
    piece = max(_FRAMES // len(images), 1)
    with sparse.packing_once():
        for first in range(0, steps, piece):
            signal = Signal(images, min(piece, steps - first), len(images), memory)
            for block in network.blocks[: last.block + 1]:
                signal = block(signal)


def observe(
    network: Network,
    watched: Sequence[Place],
    batches: Iterable[Tensor],
    see: Callable[[Tensor], T],
    steps: int = 1,
) -> list[list[T]]:
    """Return, for each place, what ``see`` makes of its output before pooling.

    It is called once for each batch and piece of a run: see `run`.
    """
    found: list[list[T]] = [[] for _ in watched]
    layers = [place.of(network) for place in watched]
    for layer, values in zip(layers, found, strict=True):
        layer.observer = lambda x, values=values: values.append(see(x))
    try:
        for images in batches:
            run(network, images, steps, watched[-1])
    finally:
        for layer in layers:
            layer.observer = None
    return found


@torch.no_grad()
def means(
    network: Network, watched: Sequence[Place], images: Tensor, steps: int = 1
) -> list[Tensor]:
    """Return, for each place, the mean output over the steps before pooling, (batch, ...)."""

    def total(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, len(images))).sum(0)

    found = observe(network, watched, [images], total, steps)
    return [torch.stack(pieces).sum(0) / steps for pieces in found]
