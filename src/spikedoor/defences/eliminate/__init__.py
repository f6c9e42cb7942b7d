"""Eliminators: each returns a repaired stage and leaves the given one as it is."""

from spikedoor.defences.eliminate.abl_unlearning import AblUnlearning
from spikedoor.defences.eliminate.anp import ANP
from spikedoor.defences.eliminate.clp import CLP
from spikedoor.defences.eliminate.fine_pruning import FinePruning
from spikedoor.defences.eliminate.fine_tuning import FineTuning
from spikedoor.defences.eliminate.ft_sam import SharpnessAwareFineTuning
from spikedoor.defences.eliminate.i_bau import IBAU
from spikedoor.defences.eliminate.nad import NAD
from spikedoor.defences.eliminate.ndsbm import NDSBM
from spikedoor.defences.eliminate.rnp import RNP

__all__ = [
    "ANP",
    "CLP",
    "IBAU",
    "NAD",
    "NDSBM",
    "RNP",
    "AblUnlearning",
    "FinePruning",
    "FineTuning",
    "SharpnessAwareFineTuning",
]
