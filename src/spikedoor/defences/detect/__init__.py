"""Detectors of poisoned training samples, of triggered inputs, and of models with a backdoor."""

from spikedoor.defences.detect.activation_clustering import ActivationClustering
from spikedoor.defences.detect.neural_cleanse import NeuralCleanse
from spikedoor.defences.detect.neuron_audit import NeuronAudit
from spikedoor.defences.detect.rate_statistics import RateStatistics
from spikedoor.defences.detect.tmpbd import TMPBD

__all__ = ["TMPBD", "ActivationClustering", "NeuralCleanse", "NeuronAudit", "RateStatistics"]
