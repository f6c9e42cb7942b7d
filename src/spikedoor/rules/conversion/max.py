"""Thresholds from the largest activation, whole or scaled down."""

from __future__ import annotations

from typing import final

from pydantic import Field
from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, ActivationScale

__all__ = ["Largest", "Max", "ScaledMax"]


class Largest(ActivationScale):
    """Converters that start from the largest activation of a layer."""

    def statistic(self, activations: Tensor) -> float:
        return float(activations.max())

    def largest(self, values: list[float]) -> float:
        return self.running(values) if self.momentum else max(values)


@final
@CONVERTERS.register("max", "Diehl et al. 2015", "https://doi.org/10.1109/IJCNN.2015.7280696")
class Max(Largest):
    """Threshold = largest activation of the layer over the calibration images.

    Deviations:
        The paper also considers the largest weight; the later literature does not.
    """

    def combine(self, values: list[float]) -> float:
        return self.largest(values)


@final
@CONVERTERS.register("scaled-max", "Fang et al. 2023", "https://doi.org/10.1126/sciadv.adi1480")
class ScaledMax(Largest):
    """Threshold = ``factor`` times the largest activation: faster, at the price of clipping."""

    factor: float = Field(0.5, gt=0, le=1)
    """Factor; the released code tries 1/2 to 1/5."""

    def combine(self, values: list[float]) -> float:
        return self.factor * self.largest(values)
