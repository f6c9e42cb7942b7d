"""A small learnable data set and small parts, for the tests of rules, converters and victims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikedoor.rules import Training
from spikedoor.snn.activations import Spiking
from spikedoor.snn.blocks import Flatten, Head, Synapse, Unit
from spikedoor.snn.networks import Network
from spikedoor.snn.neurons import Neuron
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.signal import Signal
from spikedoor.testing.parts import (
    NETWORK,
    QUICK,
    build,
    equal_states,
    fingerprint,
    shuffle_norms,
)
from spikedoor.testing.samples import CLASSES, poisoned, stripes
from spikedoor.victim import Blueprint, Stage

__all__ = [
    "CLASSES", "NETWORK", "QUICK", "Watched", "build", "equal_states", "fingerprint",
    "fresh", "how", "identity_network", "images", "neurons", "one_thread", "output", "pixels",
    "poisoned", "shuffle_norms", "stripes", "total",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Spare a module that imports this the waiting of threads for each other: nets are tiny."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Watched:
    """A set that writes down which samples are drawn from it."""

    base: Any
    drawn: list[np.ndarray] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)

    def __len__(self) -> int:
        return len(self.base)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        self.drawn.append(np.array(indices))
        return self.base.batch(indices)


def total(drawn: list[np.ndarray]) -> int:
    return sum(map(len, drawn))


@torch.no_grad()
def identity_network(size: int, activation: Any) -> Network:
    """Make a network whose one hidden layer is given exactly the pixels, and the head likewise."""
    unit, head = Unit(Synapse(nn.Linear(size, size), None), activation), Head(size, size)
    for layer in (unit.synapse.layer, head.layer):
        layer.weight.copy_(torch.eye(size))
        layer.bias.zero_()
    return Network([Flatten(), unit], head)


def pixels(values: Any) -> Tensor:
    """Return rows of numbers as one-pixel-high images."""
    rows = torch.tensor(values, dtype=torch.float32)
    return rows.view(len(rows), 1, 1, -1)


def fresh(neuron: Neuron | None = None, steps: int = 1, seed: int = 0) -> Stage:
    """Make a stage that is not trained: of an ANN, or of an SNN where a neuron is given."""
    blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, neuron)
    return Stage("direct" if neuron else "ann", blueprint, blueprint.build(seed), steps)


def how(**changes: Any) -> Training:
    """Change fields of the quick training."""
    return QUICK.model_copy(update=changes)


def images(count: int = 12, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def output(network: Network, x: Tensor, steps: int = 1) -> Tensor:
    """Return the mean output over the steps of a constant input."""
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def neurons(network: Network) -> list[Spiking]:
    return [module for module in network.modules() if isinstance(module, Spiking)]
