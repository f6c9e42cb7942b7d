"""All that is needed to build a network again, but its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from spikedoor.snn.networks import Architecture, Network
from spikedoor.snn.neurons import Neuron
from spikedoor.snn.rectifiers import Nonlinearity, ReLU

__all__ = ["Blueprint"]


@dataclass(frozen=True)
class Blueprint:
    """All that is needed to build a stage's network again, but its weights.

    Args:
        architecture: The network's plan.
        shape: Channels, height and width of a frame.
        classes: Names of the classes.
        neuron: Neuron model; None for an ANN.
        folded: Whether batch norm is merged into the layers.
        activation: Activation of the ANN, or of the ANN that the network was converted from.
    """

    architecture: Architecture
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    neuron: Neuron | None = None
    folded: bool = False
    activation: Nonlinearity = field(default_factory=ReLU)

    def build(self, seed: int | None) -> Network:
        """Make the network with fresh weights, or with none to be loaded."""
        activation = (self.neuron or self.activation).build
        network = self.architecture.build(self.shape, len(self.classes), activation, seed)
        if self.folded:
            for synapse in network.synapses():
                synapse.fold()
        return network

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `from_dict` reads them back."""
        return {
            "architecture": self.architecture.to_dict(),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "neuron": self.neuron.to_dict() if self.neuron else None,
            "folded": self.folded,
            "activation": self.activation.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make a blueprint from plain values; those of before there was a choice mean ReLU."""
        return cls(
            Architecture.from_dict(value["architecture"]),
            tuple(value["shape"]),
            tuple(value["classes"]),
            Neuron.from_dict(value["neuron"]) if value["neuron"] else None,
            bool(value["folded"]),
            Nonlinearity.from_dict(value.get("activation", "relu")),
        )
