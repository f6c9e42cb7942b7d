"""Neurons that take back spikes sent too early."""

from __future__ import annotations

from typing import final

from spikedoor.rules.conversion.base import CONVERTERS
from spikedoor.rules.conversion.max import Largest
from spikedoor.snn.neurons import SignedIF

__all__ = ["SNM"]


@final
@CONVERTERS.register("snm", "Wang et al. 2022", "https://doi.org/10.24963/ijcai.2022/347")
class SNM(Largest):
    """Threshold = largest activation; neurons are signed, with a memory of the spikes they sent.

    Positive currents may come before the negative ones that cancel them. A plain neuron has then
    sent spikes that nothing takes back; a signed one sends negative ones until its sum is right.

    Deviations:
        The paper scales each neuron by its own largest activation; here a layer has one threshold.
    """

    @property
    def neuron(self) -> SignedIF:
        return SignedIF()

    def combine(self, values: list[float]) -> float:
        return self.largest(values)
