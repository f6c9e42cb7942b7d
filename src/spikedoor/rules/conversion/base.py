"""From an ANN to a spiking network: fold the norms, measure activations, set thresholds."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import Network
from spikedoor.snn.neurons import IF
from spikedoor.snn.signal import Signal

__all__ = ["CONVERTED_NEURON", "CONVERTERS", "ActivationScale", "Converter", "fold", "spiking"]

CONVERTERS = Family("converter", home="spikedoor.rules.conversion")

CONVERTED_NEURON = IF(reset="soft")
"""Neuron of every converted network: its rate under constant input tends to a clipped ReLU."""


class Converter(Component):
    """Turn a trained ANN into a spiking network of the same layers and weights.

    A ReLU becomes IF neurons with soft reset, threshold lambda and spikes of height lambda. For a
    constant current z in [0, lambda] the mean output over T steps is z up to lambda / T. This is
    the form x / lambda -> IF(1) -> * lambda of weight normalisation (Diehl et al. 2015, Rueckauer
    et al. 2017) without rescaling any weight.
    """

    family = CONVERTERS

    @abstractmethod
    def convert(self, ann: Network, batches: Iterable[Tensor]) -> Network:
        """Return the spiking network; the ANN is left as it is.

        Args:
            ann: Trained network with `Rectifier` activations.
            batches: Calibration images, each (batch, C, H, W), float in [0, 1].

        Raises:
            ConfigError: If the network has no rectifiers, or there are no calibration images.
        """


class ActivationScale(Converter):
    """Converters that set each threshold from a statistic of the ANN's activations."""

    momentum: float | None = Field(None, gt=0, le=1)
    """Average over batches with this weight for the newest; 0.1 is what the released code does."""

    initial: float = Field(0.0, ge=0, lt=1)
    """Membrane before the first step, as a share of the threshold. At 0 a rate is rounded down; at
    0.5 it is rounded, which halves the error at few steps (Bu et al. 2022, potential
    initialisation, https://arxiv.org/abs/2202.01440)."""

    def running(self, values: list[float]) -> float:
        """Return the running average of the batches' values, from the first on."""
        momentum = self.momentum or 0.0
        average = values[0]
        for value in values[1:]:
            average = (1 - momentum) * average + momentum * value
        return average

    @abstractmethod
    def statistic(self, activations: Tensor) -> float:
        """Return the scale that one batch of a layer's activations asks for."""

    @abstractmethod
    def combine(self, values: list[float]) -> float:
        """Return the threshold from the batches' statistics, in their order."""

    @torch.no_grad()
    def convert(self, ann: Network, batches: Iterable[Tensor]) -> Network:
        folded = fold(ann)
        layers = [m for m in folded.modules() if isinstance(m, Rectifier)]
        if not layers:
            raise ConfigError("conversion needs an ANN with ReLU activations, this one has none")
        seen: list[list[float]] = [[] for _ in layers]
        for layer, values in zip(layers, seen, strict=True):
            layer.observer = lambda x, values=values: values.append(self.statistic(x))
        for images in batches:
            folded(Signal(images, 1, len(images)))
        for layer in layers:
            layer.observer = None
        if not seen[0]:
            raise ConfigError("conversion needs calibration images, got none")
        return spiking(folded, [self.combine(values) for values in seen], self.initial)


def fold(ann: Network) -> Network:
    """Return a copy in evaluation mode with every batch norm merged into its layer."""
    network = copy.deepcopy(ann).eval()
    for synapse in network.synapses():
        synapse.fold()
    return network


def spiking(folded: Network, thresholds: list[float], initial: float = 0.0) -> Network:
    """Put spiking neurons with the given thresholds in place of the rectifiers, in order.

    Each starts with ``initial`` times its threshold. A layer that never was active keeps a
    threshold of 1.
    """
    places = [name for name, module in folded.named_modules() if isinstance(module, Rectifier)]
    for place, threshold in zip(places, thresholds, strict=True):
        layer = CONVERTED_NEURON.build()
        set_threshold(layer, threshold if threshold > 0 else 1.0)
        layer.initial.copy_(initial * layer.threshold)
        folded.set_submodule(place, layer)
    return folded.to(next(folded.parameters()).device).eval()


def set_threshold(neuron: Spiking, value: float) -> None:
    """Set threshold and spike height of a layer."""
    neuron.threshold.fill_(value)
    neuron.amplitude.fill_(value)
