"""Experiments: described as one value, run as one function."""

from spikedoor.study.experiment import Experiment, load
from spikedoor.study.run import Shelf, run

__all__ = ["Experiment", "Shelf", "load", "run"]
