"""From an ANN to a spiking network: what every converter does, and those that scale activations."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterable
from itertools import chain
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.rules.conversion.checks import check_modules, max_pooled
from spikedoor.rules.conversion.layers import observe, places, put
from spikedoor.snn.networks import Network
from spikedoor.snn.neurons import IF, Neuron

__all__ = ["CONVERTERS", "ActivationScale", "Converter", "fold"]

CONVERTERS = Family("converter", home="spikedoor.rules.conversion")


class Converter(Component):
    """Turn a trained ANN into a spiking network of the same layers and weights.

    A ReLU becomes IF neurons with soft reset, threshold lambda and spikes of height lambda. For a
    constant current z in [0, lambda] the mean output over T steps is z up to lambda / T. This is
    the form x / lambda -> IF(1) -> * lambda of weight normalisation (Diehl et al. 2015, Rueckauer
    et al. 2017) without rescaling any weight.

    A network consists of units, residual blocks and a head, with one activation of its own in each
    place. Any other module, and one module in several places, are refused by name.
    """

    family = CONVERTERS

    uses_steps: ClassVar[bool] = False
    """Whether the network depends on the time steps it is to run for."""
    trained_with: ClassVar[str | None] = None
    """Activation that the ANN must be trained with; None if any will do."""

    max_pool: Literal["refuse", "spikes"] = "refuse"
    """The largest of several spikes is not the largest rate, so a network with max pooling tends to
    another function than its ANN: refuse it, or pool the spikes all the same."""

    @property
    def neuron(self) -> Neuron:
        """Neuron of the converted network, but for its thresholds."""
        return IF(reset="soft")

    def check(self, ann: Network) -> None:
        """Refuse what cannot be converted; weights do not matter, so it can be asked first.

        Raises:
            ConfigError: If the network has no rectifiers, has modules that a converter does not
                know or that stand in several places, or has max pooling and that is refused.
        """
        check_modules(ann)
        if self.max_pool == "refuse" and (pooled := max_pooled(ann)):
            raise ConfigError(
                f"max pooling in {', '.join(pooled)}: the largest of several spikes is not the "
                'largest rate; expected a network with pool = "avg", or, to pool the spikes all '
                f"the same, the converter '{self.name}' with max_pool = \"spikes\""
            )

    @torch.no_grad()
    def convert(self, ann: Network, batches: Iterable[Tensor], steps: int) -> Network:
        """Return the spiking network; the ANN is left as it is.

        Args:
            ann: Trained network with `Rectifier` activations.
            batches: Calibration images, each (batch, C, H, W), float in [0, 1].
            steps: Time steps T that it is to run for; only converters with ``uses_steps`` care.

        Raises:
            ConfigError: If `check` refuses the network, or there are no calibration images.
        """
        self.check(ann)
        rest = iter(batches)
        first = next(rest, None)
        if first is None:
            raise ConfigError("conversion needs calibration images, got none")
        return self._convert(fold(ann), chain([first], rest), steps)

    @abstractmethod
    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        """Put neurons in the places of a network that is ours, and return it."""


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

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        where = places(folded)
        seen = observe(folded, where, batches, self.statistic)
        for place, values in zip(where, seen, strict=True):
            put(folded, place, self.neuron, self.combine(values), self.initial)
        return folded


def fold(ann: Network) -> Network:
    """Return a copy in evaluation mode with every batch norm merged into its layer."""
    network = copy.deepcopy(ann).eval()
    for synapse in network.synapses():
        synapse.fold()
    return network
