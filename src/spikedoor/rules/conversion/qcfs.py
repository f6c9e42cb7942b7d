"""Thresholds that the ANN has learned itself, with its activations rounded as spikes will be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, final

from torch import Tensor

from spikedoor.errors import ConfigError
from spikedoor.rules.conversion.base import CONVERTERS, Converter
from spikedoor.rules.conversion.layers import places, put
from spikedoor.snn.networks import Network
from spikedoor.snn.rectifiers import QuantisedRectifier

__all__ = ["QCFS"]


@final
@CONVERTERS.register("qcfs", "Bu et al. 2022", "https://arxiv.org/abs/2303.04347")
class QCFS(Converter):
    """Threshold = the ANN's learned lambda; the membrane starts at half of it.

    The ANN is trained with ``lambda clip(floor(L z / lambda + 1/2) / L, 0, 1)`` (the rule's
    ``activation = "qcfs"``). At T = L steps of a constant current the neurons send exactly that,
    and at any other T the expected error over uniform currents is 0. No images are looked at.
    """

    trained_with: ClassVar[str | None] = "qcfs"

    def check(self, ann: Network) -> None:
        super().check(ann)
        for place in places(ann):
            if not isinstance(place.of(ann), QuantisedRectifier):
                raise ConfigError(
                    f"converter 'qcfs' needs an ANN trained with activation = \"qcfs\", but "
                    f"'{place.name}' is another; set the rule's activation, or take the converter "
                    "'threshold-shift' or 'calibration'"
                )

    def _convert(self, folded: Network, batches: Iterable[Tensor], steps: int) -> Network:
        for place in places(folded):
            rectifier = place.of(folded)
            assert isinstance(rectifier, QuantisedRectifier)
            put(folded, place, self.neuron, rectifier.limit, initial=0.5)
        return folded
