"""Experiments: described as one value, run as one function; and sweeps of many."""

from spikedoor.study.campaign import Campaign, engine_of
from spikedoor.study.experiment import Experiment, load
from spikedoor.study.run import run
from spikedoor.study.sweep import Sweep, load_sweep
from spikedoor.study.workshop import Workshop

__all__ = [
    "Campaign",
    "Experiment",
    "Sweep",
    "Workshop",
    "engine_of",
    "load",
    "load_sweep",
    "run",
]
