"""Eliminators: each returns a repaired stage and leaves the given one as it is."""

from spikedoor.defences.eliminate.clp import CLP
from spikedoor.defences.eliminate.fine_tuning import FineTuning

__all__ = ["CLP", "FineTuning"]
