"""Experiments: described as one value, run as one function; and sweeps of many."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedoor.study.campaign import Campaign, engine_of
    from spikedoor.study.experiment import Experiment
    from spikedoor.study.pipe import run
    from spikedoor.study.preset import Expected, Preset, load, load_preset
    from spikedoor.study.reproduce import Comparison, compare, reproduction
    from spikedoor.study.sweep import Sweep, load_sweep
    from spikedoor.study.toml import located, presets
    from spikedoor.study.workshop import Workshop

__all__ = [
    "Campaign",
    "Comparison",
    "Expected",
    "Experiment",
    "Preset",
    "Sweep",
    "Workshop",
    "compare",
    "engine_of",
    "load",
    "load_preset",
    "load_sweep",
    "located",
    "presets",
    "reproduction",
    "run",
]

_HOMES = {
    "campaign": ("Campaign", "engine_of"),
    "experiment": ("Experiment",),
    "pipe": ("run",),
    "preset": ("Expected", "Preset", "load", "load_preset"),
    "reproduce": ("Comparison", "compare", "reproduction"),
    "sweep": ("Sweep", "load_sweep"),
    "toml": ("located", "presets"),
    "workshop": ("Workshop",),
}


def __getattr__(name: str) -> Any:
    """Find a public name on first use, so that what needs no torch is had without it."""
    for module, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module '{__name__}' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
