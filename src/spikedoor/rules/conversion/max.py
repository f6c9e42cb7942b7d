"""Thresholds from the largest activation, whole or scaled down."""

from __future__ import annotations

from typing import final

from pydantic import Field
from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, ActivationScale

__all__ = ["Max", "ScaledMax", "running"]


def running(values: list[float], momentum: float | None, whole: float) -> float:
    """Return ``whole``, or with a momentum the running average of the batches' values."""
    if momentum is None:
        return whole
    average = values[0]
    for value in values[1:]:
        average = (1 - momentum) * average + momentum * value
    return average


@final
@CONVERTERS.register("max", "Diehl et al. 2015", "https://doi.org/10.1109/IJCNN.2015.7280696")
class Max(ActivationScale):
    """Threshold = largest activation of the layer over the calibration images.

    Deviations:
        The paper also considers the largest weight; the later literature does not.
    """

    momentum: float | None = Field(None, gt=0, le=1)
    """Take the running average of batch maxima instead; 0.1 is what the released code does."""

    def statistic(self, activations: Tensor) -> float:
        return float(activations.max())

    def combine(self, values: list[float]) -> float:
        return running(values, self.momentum, max(values))


@final
@CONVERTERS.register("scaled-max", "Fang et al. 2023", "https://doi.org/10.1126/sciadv.adi1480")
class ScaledMax(ActivationScale):
    """Threshold = ``factor`` times the largest activation: faster, at the price of clipping."""

    factor: float = Field(0.5, gt=0, le=1)
    """Factor; the released code tries 1/2 to 1/5."""
    momentum: float | None = Field(None, gt=0, le=1)
    """Take the running average of batch maxima instead; 0.1 is what the released code does."""

    def statistic(self, activations: Tensor) -> float:
        return float(activations.max())

    def combine(self, values: list[float]) -> float:
        return self.factor * running(values, self.momentum, max(values))
