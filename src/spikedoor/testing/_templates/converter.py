"""A converter of your own: thresholds from a quantile of the activations, scaled."""

from __future__ import annotations

from typing import final

from pydantic import Field
from torch import Tensor

from spikedoor.rules.conversion import CONVERTERS
from spikedoor.rules.conversion.base import ActivationScale

__all__ = ["MyConverter"]


@final
@CONVERTERS.register("my-converter")
class MyConverter(ActivationScale):
    """Threshold = ``factor`` times a quantile of the layer's activations above zero.

    The quantile is that of each calibration batch; the batches' values are averaged.
    """

    quantile: float = Field(0.99, gt=0, le=1)
    """Which quantile."""
    factor: float = Field(1.0, gt=0)
    """What it is multiplied by; less makes rates higher and clips more."""

    def statistic(self, activations: Tensor) -> float:
        """Return the quantile of one batch; 0 where no neuron is active."""
        active = activations[activations > 0].float().sort().values
        if not len(active):
            return 0.0
        return float(active[round(self.quantile * (len(active) - 1))])

    def combine(self, values: list[float]) -> float:
        """Return the threshold from the batches' quantiles."""
        average = self.running(values) if self.momentum else sum(values) / len(values)
        return self.factor * average
