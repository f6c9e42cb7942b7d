"""LR_C: train an ANN, then convert it. One file for each converter."""

from spikedoor.rules.conversion.balancing import RMP, SpikeNorm
from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.calibration import Calibration
from spikedoor.rules.conversion.max import Max, ScaledMax
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.conversion.phases import RuleFromANN, train_ann
from spikedoor.rules.conversion.qcfs import QCFS
from spikedoor.rules.conversion.report import report
from spikedoor.rules.conversion.rule import Conversion
from spikedoor.rules.conversion.snm import SNM
from spikedoor.rules.conversion.threshold_shift import ThresholdShift

__all__ = [
    "CONVERTERS", "QCFS", "RMP", "SNM", "Calibration", "Conversion", "Converter", "Max",
    "Percentile", "RuleFromANN", "ScaledMax", "SpikeNorm", "ThresholdShift", "report", "train_ann",
]  # fmt: skip
