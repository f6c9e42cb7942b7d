"""Measure how easily a spiking neural network can be backdoored through its training data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedoor import attack, data, metrics, rules, snn
    from spikedoor.attack import Attack
    from spikedoor.evaluation import Evaluation, evaluate
    from spikedoor.study import Experiment, load, run
    from spikedoor.victim import Victim

    __version__: str

__all__ = [
    "Attack",
    "Evaluation",
    "Experiment",
    "Victim",
    "__version__",
    "attack",
    "data",
    "evaluate",
    "load",
    "metrics",
    "rules",
    "run",
    "snn",
]

_ROOMS = ("attack", "data", "metrics", "rules", "snn")
_HOMES = {
    "Attack": "spikedoor.attack",
    "Evaluation": "spikedoor.evaluation",
    "Experiment": "spikedoor.study",
    "Victim": "spikedoor.victim",
    "evaluate": "spikedoor.evaluation",
    "load": "spikedoor.study",
    "run": "spikedoor.study",
}


def __getattr__(name: str) -> Any:
    """Find a public name on first use, so that ``import spikedoor`` itself costs nothing."""
    if name == "__version__":
        value = globals()[name] = _version()
        return value
    if name in _ROOMS:
        return import_module(f"spikedoor.{name}")
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'spikedoor' has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("spikedoor")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
