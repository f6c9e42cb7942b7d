"""LR_C: train an ANN and convert it."""

from __future__ import annotations

from typing import final

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES
from spikedoor.rules.conversion.stages import RuleFromANN
from spikedoor.snn.networks import Architecture
from spikedoor.victim import Stage, Victim

__all__ = ["Conversion"]


@final
@RULES.register("conversion", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682")
class Conversion(RuleFromANN):
    """Train an ANN and convert it to a spiking network (LR_C)."""

    def fit(
        self,
        network: Architecture,
        data: SampleSet,
        seed: int = 0,
        device: str = "cpu",
        ann: Stage | None = None,
    ) -> Victim:
        return Victim(self.ann_and_converted(network, data, seed, device, ann))
