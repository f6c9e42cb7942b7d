"""LR_C: train an ANN and convert it."""

from __future__ import annotations

from typing import final

from spikedoor.rules.base import RULES, Phase
from spikedoor.rules.conversion.phases import RuleFromANN

__all__ = ["Conversion"]


@final
@RULES.register("conversion", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682")
class Conversion(RuleFromANN):
    """Train an ANN and convert it to a spiking network (LR_C)."""

    def phases(self) -> tuple[Phase, ...]:
        return self.ann_phase(), self.conversion_phase()
