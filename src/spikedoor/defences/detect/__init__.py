"""Detectors of poisoned training samples, of triggered inputs, and of models with a backdoor."""

from spikedoor.defences.detect.abl_isolation import AblIsolation
from spikedoor.defences.detect.activation_clustering import ActivationClustering
from spikedoor.defences.detect.beatrix import Beatrix
from spikedoor.defences.detect.consistency import Consistency
from spikedoor.defences.detect.neural_cleanse import NeuralCleanse
from spikedoor.defences.detect.neuron_audit import NeuronAudit
from spikedoor.defences.detect.output_voltage import OutputVoltage
from spikedoor.defences.detect.rate_statistics import RateStatistics
from spikedoor.defences.detect.scan import Scan
from spikedoor.defences.detect.separation import Separation
from spikedoor.defences.detect.spectral_signatures import SpectralSignatures
from spikedoor.defences.detect.strip import Strip
from spikedoor.defences.detect.teco import Teco
from spikedoor.defences.detect.temporal_decision import TemporalDecision
from spikedoor.defences.detect.tmpbd import TMPBD

__all__ = [
    "TMPBD",
    "AblIsolation",
    "ActivationClustering",
    "Beatrix",
    "Consistency",
    "NeuralCleanse",
    "NeuronAudit",
    "OutputVoltage",
    "RateStatistics",
    "Scan",
    "Separation",
    "SpectralSignatures",
    "Strip",
    "Teco",
    "TemporalDecision",
]
