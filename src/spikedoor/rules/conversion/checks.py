"""What cannot be converted is refused by name, before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.blocks import (
    Centre,
    Flatten,
    Head,
    Normalise,
    Pooling,
    Residual,
    Synapse,
    Unit,
)
from spikedoor.snn.networks import Network
from spikedoor.snn.norm import BatchNorm

__all__ = ["check_modules", "max_pooled"]

_KNOWN = (
    Network, Unit, Residual, Synapse, Flatten, Head, Rectifier, BatchNorm,
    Centre, Normalise, Pooling, nn.Conv2d, nn.Linear, nn.ModuleList,
)  # fmt: skip


def check_modules(ann: Network) -> None:
    """Refuse a network that has no rectifiers, foreign modules, or one module in several places.

    Raises:
        ConfigError: Naming the modules.
    """
    if not any(isinstance(module, Rectifier) for module in ann.modules()):
        raise ConfigError("conversion needs an ANN with ReLU activations, this one has none")
    for i, block in enumerate(ann.blocks):
        if isinstance(block, Rectifier):
            raise ConfigError(f"conversion needs a layer with weights before activation blocks.{i}")
    paths: dict[int, list[str]] = {}
    for name, module in ann.named_modules(remove_duplicate=False):
        if not isinstance(module, _KNOWN):
            kind = type(module).__name__
            raise ConfigError(
                f"conversion does not know the module '{name}' ({kind}): expected a network of "
                f"{_list(known.__name__ for known in _KNOWN[1:7])}"
            )
        paths.setdefault(id(module), []).append(name)
    for name, weight in ann.named_parameters(remove_duplicate=False):
        paths.setdefault(id(weight), []).append(name)
    shared = next((names for names in paths.values() if len(names) > 1), None)
    if shared:
        raise ConfigError(
            f"conversion needs a module of its own in every place, as each gets a threshold of its "
            f"own; {_list(shared)} are one and the same"
        )


def max_pooled(network: Network) -> list[str]:
    """Return the paths of the blocks that do max pooling."""
    return [
        name
        for name, module in network.named_modules()
        if (isinstance(module, Unit) and module.pool == "max")
        or (isinstance(module, Pooling) and module.kind == "max")
    ]


def _list(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
