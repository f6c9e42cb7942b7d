"""Thresholds from a high percentile of the activations."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field
from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, ActivationScale

__all__ = ["Percentile"]


@final
@CONVERTERS.register(
    "percentile", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682"
)
class Percentile(ActivationScale):
    """Threshold = a percentile of the layer's activations, so that outliers do not slow it down.

    The percentile is taken batch by batch and averaged over the calibration images.

    Deviations:
        The paper leaves zeros out; set ``nonzero`` for that. The released code keeps them.
    """

    p: float = Field(99.9, gt=0, le=100)
    """Percentile."""
    nonzero: bool = False
    """Leave out activations of zero."""

    def statistic(self, activations: Tensor) -> float:
        values = activations.float().cpu().numpy().ravel()
        if self.nonzero:
            values = values[values > 0]
        return float(np.percentile(values, self.p)) if values.size else 0.0

    def combine(self, values: list[float]) -> float:
        return self.running(values) if self.momentum else sum(values) / len(values)
