"""Gains of channels that can be learned, and pruning by what they become."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from spikedoor.data.base import SampleSet
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.layers import Layer, layers
from spikedoor.errors import ConfigError
from spikedoor.rng import generator, torch_generator
from spikedoor.snn.networks import Network
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage
from spikedoor.victim.wrapped.tap import Tap

__all__ = ["Channels", "batches", "pruned"]

THRESHOLDS = tuple(k / 20 for k in reversed(range(20)))
"""Of masks, from 0.95 down to 0, at which nothing is pruned; the published grid."""


class Channels:
    """The channels of a network that can be pruned, with a gain each on their current.

    A gain of 0 is what `Layer.prune` does. It is on the norm before the neurons, or on the layer
    itself where there is none (folded). All vectors of C numbers go through the layers in order.

    Args:
        network: Its parameters stay as they are.

    Raises:
        ConfigError: If no channel can be pruned.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.layers = layers(network)
        if not self.layers:
            raise ConfigError("expected a network with channels that can be pruned, found none")
        names: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
        self._carriers = [[(names[m], m) for m in _carriers(layer)] for layer in self.layers]
        self.sizes = [layer.channels for layer in self.layers]
        """Channels of each layer; their sum is C."""

    def currents(self, signal: Signal, weight: Tensor, bias: Tensor) -> Tensor:
        """Run the network with gains on weights and on biases.

        Shapes:
            weight, bias: [C]. Result: the head's output, (steps, batch, classes).
        """
        values: dict[str, Tensor] = {}
        gains = zip(self._carriers, weight.split(self.sizes), bias.split(self.sizes), strict=True)
        for carriers, of_weight, of_bias in gains:
            for name, module in carriers:
                shape = (-1, *[1] * (module.weight.dim() - 1))
                values[f"{name}.weight"] = module.weight * of_weight.view(shape)
                if module.bias is not None:
                    values[f"{name}.bias"] = module.bias * of_bias
        return functional_call(self._network, values, (signal,))

    def split(self, values: NDArray) -> list[NDArray]:
        """Return the parts of a vector [C] that are of each layer."""
        return np.split(values, np.cumsum(self.sizes)[:-1])


def _carriers(layer: Layer) -> list[nn.Conv2d | nn.Linear | BatchNorm | Tap]:
    if not layer.parts:
        return [] if layer.norm is None else [layer.norm]
    return [weights if norm is None else norm for weights, norm in layer.parts]


def batches(
    stage: Stage,
    samples: SampleSet,
    size: int,
    count: int,
    seed: int,
    purpose: str,
    indices: NDArray[np.integer] | None = None,
) -> Iterator[tuple[Signal, Tensor]]:
    """Yield ``count`` batches of encoded samples with their labels, each sample once a pass.

    Of samples at some indices alone, if they are given.
    """
    order = generator(seed, f"order of {purpose}")
    spikes = torch_generator(seed, f"encoding of {purpose}", stage.device)
    labels = torch.from_numpy(np.array(samples.labels))
    known = np.arange(len(samples)) if indices is None else indices
    left = known[:0]
    for _ in range(count):
        if not len(left):
            left = order.permutation(known)
        chosen, left = left[:size], left[size:]
        inputs = stage.prepare(samples.batch(chosen)).to(stage.device)
        yield stage.encode(inputs, spikes), labels[chosen].to(stage.device)


def pruned(
    stage: Stage, defender: Defender, masks: NDArray[np.floating], tolerance: float
) -> Stage:
    """Return the stage without the channels whose mask is below a threshold.

    The threshold is the largest at which accuracy on the validation samples falls by no more than
    the tolerance. The record has it, and what was pruned.

    Args:
        stage: Stays as it is.
        defender: Has the validation samples.
        masks: [C], as of `Channels`.
        tolerance: Loss of accuracy allowed.
    """
    before = accuracy(stage, defender.validation, defender.seed).value
    course: dict[str, float] = {}
    made, threshold, chosen = stage.copied(), 0.0, {}
    for threshold in THRESHOLDS:
        made = stage.copied()
        channels = Channels(made.network)
        chosen = {
            layer.path: np.flatnonzero(of_layer < threshold)
            for layer, of_layer in zip(channels.layers, channels.split(masks), strict=True)
        }
        for layer in channels.layers:
            layer.prune(chosen[layer.path])
        found = accuracy(made, defender.validation, defender.seed).value
        course[f"{threshold:g}"] = found
        if found >= before - tolerance:
            break
    made.notes["repair"] = {
        "threshold": threshold,
        "pruned": {path: which.tolist() for path, which in chosen.items()},
        "masks": [round(float(mask), 4) for mask in masks],
        "validation": course,
    }
    return made
