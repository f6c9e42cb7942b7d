"""LR_C: train an ANN, then convert it. One file for each converter."""

from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.max import Max, ScaledMax
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.conversion.phases import RuleFromANN, train_ann
from spikedoor.rules.conversion.report import report
from spikedoor.rules.conversion.rule import Conversion

__all__ = [
    "CONVERTERS", "Conversion", "Converter", "Max", "Percentile", "RuleFromANN", "ScaledMax",
    "report", "train_ann",
]  # fmt: skip
