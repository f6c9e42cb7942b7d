"""Thresholds of least error at T steps, and what error is left taken back layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.layers import Place, means, observe, places, put, shift
from spikedoor.snn.networks import Network

__all__ = ["Calibration", "best_threshold"]

_SAMPLED = 2**15  # activations of a layer and batch that the thresholds are chosen on


@final
@CONVERTERS.register("calibration", "Li et al. 2021", "https://arxiv.org/abs/2106.06984")
class Calibration(Converter):
    """Threshold of least squared error at T steps; then the mean error is taken back.

    With mean output s of the neurons, all layers before calibrated, and activation a of the ANN on
    the same images, ``e = a - s``. Light: each channel's mean of e is added to its bias. Advanced:
    T times each neuron's mean of e is its initial membrane.

    Deviations:
        The paper's advanced form goes on to train the weights; that is left out. Thresholds are
        chosen on a regular sample of about 32,768 activations of each batch and layer.
    """

    uses_steps: ClassVar[bool] = True

    mode: Literal["light", "advanced"] = "light"
    """Correct one bias for each channel, or one initial membrane for each neuron."""

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        images = list(batches)
        ann = copy.deepcopy(folded)
        where = places(folded)
        seen = observe(ann, where, images, _sample)
        for place, values in zip(where, seen, strict=True):
            largest = max(top for top, _ in values)
            activations = torch.cat([sample for _, sample in values])
            put(folded, place, self.neuron, best_threshold(activations, largest, steps))
            error = sum(_error(ann, folded, place, batch, steps) for batch in images)
            assert isinstance(error, Tensor)
            self._correct(folded, place, error / sum(map(len, images)), steps)
        return folded

    def _correct(self, network: Network, place: Place, error: Tensor, steps: int) -> None:
        if self.mode == "light":
            shift(place.synapse, error.reshape(len(error), -1).mean(1))
        else:
            place.of(network).initial = steps * error


def _sample(activations: Tensor) -> tuple[float, Tensor]:
    """Return the largest activation, and a regular sample of all; an odd stride meets every row."""
    stride = activations.numel() // _SAMPLED | 1
    return float(activations.max()), activations.flatten()[::stride].clone()


def _error(ann: Network, snn: Network, place: Place, images: Tensor, steps: int) -> Tensor:
    """Return the sum over images of what the neurons of a place lack, by neuron."""
    (wanted,), (sent,) = means(ann, [place], images), means(snn, [place], images, steps)
    return (wanted - sent).sum(0)


def best_threshold(activations: Tensor, largest: float, steps: int) -> float:
    """Return the threshold, of ``largest (1 - 0.01 i)`` with i = 0 ... 94, of least squared error.

    The error is that of ``V / T clip(floor(T a / V), 0, T)``, what a neuron sends in T steps.
    """
    candidates = [largest * (1 - 0.01 * i) for i in range(95)]
    if largest <= 0:
        return 0.0
    errors = [
        float((activations * (steps / v)).floor().clamp_(max=steps).mul_(v / steps)
              .sub_(activations).square_().mean())
        for v in candidates
    ]  # fmt: skip
    return candidates[errors.index(min(errors))]
