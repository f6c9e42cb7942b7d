"""Small networks, trainings and comparisons that checks of rules and converters share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn

from spikedoor.component import Component
from spikedoor.defences import Defender
from spikedoor.rules import Direct, Training
from spikedoor.rules.optimisers import Adam, Constant
from spikedoor.snn.activations import Activation, Rectifier
from spikedoor.snn.networks import VGG, Architecture, BadNet, Layered, Network, ResNet, SmallConv
from spikedoor.snn.norm import BatchNorm
from spikedoor.testing.samples import CLASSES, poisoned, stripes
from spikedoor.victim import Stage, Victim

__all__ = [
    "BRIEF", "CONVERTIBLE", "NETWORK", "QUICK", "brief", "build", "defender", "equal_states",
    "fingerprint", "generator", "images", "shuffle_norms", "victim", "with_fields",
]  # fmt: skip

C = TypeVar("C", bound=Component)

NETWORK = SmallConv(width=4, pool="avg")
QUICK = Training(epochs=2, batch=16, optimiser=Adam(lr=1e-2), schedule=Constant())
BRIEF = QUICK.model_copy(update={"epochs": 1})
CONVERTIBLE: dict[str, Architecture] = {
    "small-conv": SmallConv(width=4),
    "vgg": VGG(depth=5, width=0.125),
    "resnet": ResNet(depth=20, width=0.5),
    "badnet": BadNet(width=4, centre=True),
    "layered": Layered(),
}
"""One network of each plan that a converter takes."""


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of torch."""
    return torch.Generator().manual_seed(seed)


def images(seed: int = 1, count: int = 6) -> torch.Tensor:
    """Return random pictures of 8x8 px, float in [0, 1]."""
    return torch.rand(count, 1, 8, 8, generator=generator(seed))


def with_fields(component: C, **fields: Any) -> C:
    """Return the component with those of the fields changed that it has."""
    known = type(component).model_fields
    values = {key: getattr(component, key) for key in known}
    return type(component)(**{**values, **{k: v for k, v in fields.items() if k in known}})


def brief(component: C) -> C:
    """Return the component with every training cut down to one short epoch."""
    fields = {key: getattr(component, key) for key in type(component).model_fields}
    cut = {key: BRIEF for key, value in fields.items() if isinstance(value, Training)}
    return with_fields(component, **cut)


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
    random = generator(seed)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.weight.uniform_(0.5, 1.5, generator=random)
            module.bias.uniform_(-0.3, 0.5, generator=random)
            module.running_mean.uniform_(-0.2, 0.2, generator=random)
            module.running_var.uniform_(0.3, 1.5, generator=random)
    return network


def build(
    architecture: Architecture,
    shape: tuple[int, int, int] = (1, 8, 8),
    activation: Callable[[], Activation] = Rectifier,
) -> Network:
    """Make a trained-looking ANN."""
    return shuffle_norms(architecture.build(shape, len(CLASSES), activation, seed=0)).eval()


@cache
def victim() -> Stage:
    """Train a small spiking network, with a backdoor, on a set that is learned in a second."""
    how = QUICK.model_copy(update={"epochs": 4, "validation": 0.0, "keep": "last"})
    return Direct(steps=4, training=how).fit(NETWORK, poisoned(stripes(240)), seed=0).final


def defender() -> Defender:
    """Return what a defender of that victim has."""
    clean = stripes(240)
    return Defender.of(clean, 0.3, poisoned(clean))
