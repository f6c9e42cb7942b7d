"""Experiments: described as one value, run as one function; and sweeps of many."""

from spikedoor.study.campaign import Campaign, engine_of
from spikedoor.study.experiment import Experiment
from spikedoor.study.preset import Expected, Preset, load, load_preset, located, presets
from spikedoor.study.reproduce import Comparison, compare, reproduction
from spikedoor.study.run import run
from spikedoor.study.sweep import Sweep, load_sweep
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
