"""Detectors of poisoned training samples, of triggered inputs, and of models with a backdoor."""

from spikedoor.defences.detect.activation_clustering import ActivationClustering

__all__ = ["ActivationClustering"]
