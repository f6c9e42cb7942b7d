"""A small learnable data set and small parts, for the tests of rules, converters and victims."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikedoor.attack import Attack, Patch, PoisonedSet
from spikedoor.data import ImageSet
from spikedoor.rules import Training
from spikedoor.rules.optimisers import Adam, Constant
from spikedoor.snn.activations import Activation, Rectifier
from spikedoor.snn.blocks import Flatten, Head, Synapse, Unit
from spikedoor.snn.networks import Architecture, Network, SmallConv
from spikedoor.snn.norm import BatchNorm
from spikedoor.victim import Victim

__all__ = [
    "CLASSES", "NETWORK", "QUICK", "Watched", "build", "equal_states", "fingerprint",
    "identity_network", "one_thread", "pixels", "poisoned", "shuffle_norms", "stripes", "total",
]  # fmt: skip

CLASSES = ("top", "middle", "bottom")
NETWORK = SmallConv(width=4, pool="avg")
QUICK = Training(epochs=2, batch=16, optimiser=Adam(lr=1e-2), schedule=Constant())


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Spare a module that imports this the waiting of threads for each other: nets are tiny."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stripes(count: int = 96, seed: int = 0, shape: tuple[int, int, int] = (1, 8, 8)) -> ImageSet:
    """Make noise with two bright rows that tell the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    images = random.integers(0, 100, (count, *shape), dtype=np.uint8)
    for row in (0, 1):
        images[np.arange(count), :, 1 + 2 * labels + row] += 150
    return ImageSet(images, labels, CLASSES, "stripes")


def poisoned(base: ImageSet, rate: float = 0.25, target: int = 1, seed: int = 0) -> PoisonedSet:
    return Attack(trigger=Patch(size=2), target=target, rate=rate).poison(base, seed)


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


def equal_states(first: nn.Module, second: nn.Module) -> bool:
    """Tell whether two networks agree in every bit of their state."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def fingerprint(victim: Victim) -> str:
    """Hash names and bytes of everything in all stages' networks."""
    digest = hashlib.sha256()
    for stage in victim.stages:
        for key, value in stage.network.state_dict().items():
            digest.update(f"{stage.name} {key} {tuple(value.shape)}".encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def shuffle_norms(network: Network, seed: int = 0) -> Network:
    """Give every batch norm statistics as after training, so that folding has work to do."""
    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.weight.uniform_(0.5, 1.5, generator=random)
            module.bias.uniform_(-0.3, 0.5, generator=random)
            module.running_mean.uniform_(-0.2, 0.2, generator=random)
            module.running_var.uniform_(0.3, 1.5, generator=random)
    return network


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


def build(
    architecture: Architecture,
    shape: tuple[int, int, int] = (1, 8, 8),
    activation: Callable[[], Activation] = Rectifier,
) -> Network:
    """Make a trained-looking ANN."""
    return shuffle_norms(architecture.build(shape, len(CLASSES), activation, seed=0)).eval()
