"""The contract suites, for components of your own: each check raises `AssertionError` or passes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedoor.testing.cases import planted
    from spikedoor.testing.components import check_component
    from spikedoor.testing.converters import check_converter
    from spikedoor.testing.defences import check_detector, check_eliminator
    from spikedoor.testing.encodings import check_encoding
    from spikedoor.testing.networks import check_network
    from spikedoor.testing.neurons import check_neuron
    from spikedoor.testing.readouts import check_readout
    from spikedoor.testing.rules import check_rule
    from spikedoor.testing.sources import check_source
    from spikedoor.testing.surrogates import check_surrogate
    from spikedoor.testing.triggers import check_trigger

__all__ = [
    "check_component",
    "check_converter",
    "check_detector",
    "check_eliminator",
    "check_encoding",
    "check_network",
    "check_neuron",
    "check_readout",
    "check_rule",
    "check_source",
    "check_surrogate",
    "check_trigger",
    "planted",
]

_HOMES = {
    "check_component": "components",
    "check_converter": "converters",
    "check_detector": "defences",
    "check_eliminator": "defences",
    "check_encoding": "encodings",
    "check_network": "networks",
    "check_neuron": "neurons",
    "check_readout": "readouts",
    "check_rule": "rules",
    "check_source": "sources",
    "check_surrogate": "surrogates",
    "check_trigger": "triggers",
    "planted": "cases",
}


def __getattr__(name: str) -> Any:
    """Import a check on first use, so that the checks of triggers do without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'spikedoor.testing' has no attribute {name!r}")
    return getattr(import_module(f"spikedoor.testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
