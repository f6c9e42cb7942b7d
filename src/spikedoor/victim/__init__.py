"""A victim: the stages of a trained network, each with its weights and what surrounds them."""

from spikedoor.snn.encoding import to_floats
from spikedoor.victim.activity import Activity, activity
from spikedoor.victim.attacked import Attacked
from spikedoor.victim.blueprint import Blueprint
from spikedoor.victim.features import features, layer_features
from spikedoor.victim.foreign import from_module
from spikedoor.victim.probe import Piece, Probe, Traces
from spikedoor.victim.stage import Stage, StageName
from spikedoor.victim.victim import Victim
from spikedoor.victim.wrapped import unwrap, wrap_module

__all__ = [
    "Activity", "Attacked", "Blueprint", "Piece", "Probe", "Stage", "StageName", "Traces", "Victim",
    "activity", "features", "from_module", "layer_features", "to_floats", "unwrap", "wrap_module",
]  # fmt: skip
