"""Find the backdoor of a victim, in its training data, its inputs or itself, and remove it."""

from spikedoor.defences import detect, eliminate
from spikedoor.defences.base import (
    DEFENCES,
    DataDetector,
    Defence,
    Detection,
    Eliminator,
    InputDetector,
    ModelDetector,
)
from spikedoor.defences.defender import Defender
from spikedoor.defences.layers import Layer, layers

__all__ = [
    "DEFENCES",
    "DataDetector",
    "Defence",
    "Defender",
    "Detection",
    "Eliminator",
    "InputDetector",
    "Layer",
    "ModelDetector",
    "detect",
    "eliminate",
    "layers",
]
