"""LR_C: train an ANN, then convert it. One file for each converter."""

from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.max import Max, ScaledMax
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.conversion.rule import Conversion, convert_stage

__all__ = [
    "CONVERTERS", "Conversion", "Converter", "Max", "Percentile", "ScaledMax", "convert_stage",
]  # fmt: skip
