"""Detectors of poisoned training samples, of triggered inputs, and of models with a backdoor."""

from spikedoor.defences.detect.activation_clustering import ActivationClustering
from spikedoor.defences.detect.consistency import Consistency
from spikedoor.defences.detect.output_voltage import OutputVoltage
from spikedoor.defences.detect.strip import Strip
from spikedoor.defences.detect.teco import Teco
from spikedoor.defences.detect.temporal_decision import TemporalDecision

__all__ = [
    "ActivationClustering",
    "Consistency",
    "OutputVoltage",
    "Strip",
    "Teco",
    "TemporalDecision",
]
