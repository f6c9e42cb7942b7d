"""Thresholds from the current that layers receive once those before them spike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, final

from pydantic import Field
from torch import Tensor

from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.layers import Place, observe, places, put
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import Network
from spikedoor.snn.neurons import IF

__all__ = ["RMP", "SpikeNorm"]


class _Balanced(Converter):
    """Converters that set thresholds layer by layer, from the largest current of each.

    The current of layer l at step t is ``z[t] = W (lambda s[t]) + b``, with spikes s of layer l - 1
    as high as its threshold lambda. The papers send spikes of height 1 instead, keep W, and balance
    to ``V_l = max W s[t]``. Multiplying all currents and membranes of layer l by
    ``V_1 ... V_(l-1)`` takes one to the other: the spikes are the same, the threshold becomes
    ``lambda_l = V_1 ... V_l``, and rate times lambda stays on the scale of the ANN's activations,
    so that biases and residual sums need no rescaling.
    """

    steps: int = Field(64, ge=1, le=10_000)
    """Steps that are simulated to find the largest current."""

    def balance(self, folded: Network, batches: Iterable[Tensor], factor: float) -> Network:
        """Put neurons in all places, with ``factor`` times the largest current as threshold."""
        images = list(batches)
        for place in places(folded):
            largest = self._largest_current(folded, place, images)
            put(folded, place, self.neuron, factor * largest)
        return folded

    def _largest_current(self, network: Network, place: Place, images: list[Tensor]) -> float:
        network.set_submodule(place.name, Rectifier())  # shows the current as it is, above 0
        (seen,) = observe(network, [place], images, lambda x: float(x.max()), self.steps)
        return max(seen)


@final
@CONVERTERS.register(
    "spike-norm", "Sengupta et al. 2019", "https://doi.org/10.3389/fnins.2019.00095"
)
class SpikeNorm(_Balanced):
    """Threshold = largest current of the layer, over samples and steps, while those before spike.

    Under hard reset a neuron with constant current z fires every ``ceil(lambda / z)`` steps: its
    mean output is at most z and reaches it only where lambda / z is whole, however long the run.

    With a ``scale`` every published ``V_l`` is multiplied by it once all are found, as the hybrid
    rule of Rathi et al. 2020 does (0.7), so that rates grow from layer to layer: ``lambda_l =
    scale^l V_1 ... V_l``. (The factor of `RMP` acts before the next layer is looked at.)

    Deviations:
        The paper forbids biases and batch norm; here norms are folded, and biases are part of the
        current. It feeds Poisson spikes; thresholds are found on a constant input. Spikes are as
        high as the threshold, which gives the same spikes (above). In a residual network l counts
        the activations in the order of the signal.
    """

    reset: Literal["hard", "soft"] = "hard"
    """At a spike: set the membrane to 0, as published, or subtract the threshold."""
    scale: float = Field(1.0, gt=0, le=1)
    """Factor on every published threshold after balancing."""

    @property
    def neuron(self) -> IF:
        return IF(reset=self.reset)

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        self.balance(folded, batches, 1.0)
        for layer, place in enumerate(places(folded), start=1):
            neurons = place.of(folded)
            assert isinstance(neurons, Spiking)
            put(folded, place, self.neuron, float(neurons.threshold) * self.scale**layer)
        return folded


@final
@CONVERTERS.register("rmp", "Han et al. 2020", "https://arxiv.org/abs/2003.01811")
class RMP(_Balanced):
    """Threshold = ``factor`` times that of `SpikeNorm`; soft reset keeps the residual membrane.

    The largest current is a sum of spikes that happen to fall together, far above the largest
    activation; a factor below 1 gives up a little headroom for more spikes.

    Deviations:
        As of `SpikeNorm`. The paper chooses the factor for each network; the default is ours.
    """

    factor: float = Field(0.8, gt=0, le=1)
    """Factor on the largest current."""

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        return self.balance(folded, batches, self.factor)
