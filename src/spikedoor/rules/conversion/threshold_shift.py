"""Thresholds from the largest activation, and a bias that rounds to the nearest spike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, final

from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.layers import observe, places, put, shift
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.networks import Network

__all__ = ["ThresholdShift"]


@final
@CONVERTERS.register("threshold-shift", "Deng and Gu 2021", "https://arxiv.org/abs/2103.00476")
class ThresholdShift(Converter):
    """Threshold V = largest activation; ``V / (2 T)`` is added to every step's current.

    The mean output over T steps of a constant current z is then
    ``(V / T) clip(floor(T z / V + 1/2), 0, T)``: rounded to the nearest rate, not down.

    Deviations:
        The paper trains with clipped ReLU: set the rule's ``activation = "clipped-relu"``. V is
        then the activation's limit; of a plain ReLU, the largest activation over the calibration
        images. The shift is part of the biases, so running other than T steps is biased.
    """

    uses_steps: ClassVar[bool] = True

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        where = places(folded)
        seen = observe(folded, where, batches, lambda x: float(x.max()))
        for place, values in zip(where, seen, strict=True):
            rectifier = place.of(folded)
            assert isinstance(rectifier, Rectifier)
            layer = put(folded, place, self.neuron, rectifier.limit or max(values))
            shift(place.synapse, float(layer.threshold) / (2 * steps))
        return folded
