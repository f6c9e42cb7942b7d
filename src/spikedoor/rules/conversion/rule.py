"""The rule LR_C, and the conversion stage it shares with LR_H."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, final

from pydantic import Field
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.rules.base import RULES, RuleFromANN, clean_of, with_notes
from spikedoor.rules.conversion.base import CONVERTED_NEURON, Converter
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim import Stage, Victim, to_floats

__all__ = ["Conversion", "Source", "convert_stage"]

Source = Literal["poisoned", "clean"]


@final
@RULES.register("conversion", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682")
class Conversion(RuleFromANN):
    """Train an ANN and convert it to a spiking network (LR_C)."""

    converter: Converter = Percentile()
    """How thresholds are found."""
    steps: int = Field(32, ge=1)
    """Time steps T of the spiking network."""
    calibration: Source = "poisoned"
    """Take calibration images from the training set as it is, or from its clean original."""
    calibration_samples: int = Field(1024, gt=0)
    """Number of calibration images."""
    encoding: Encoding = Direct()
    """From image to current."""
    readout: Readout = MeanCurrent()
    """From head to scores."""

    def fit(
        self,
        network: Architecture,
        data: SampleSet,
        seed: int = 0,
        device: str = "cpu",
        ann: Stage | None = None,
    ) -> Victim:
        first = self.start(network, data, seed, device, ann)
        source = data if self.calibration == "poisoned" else clean_of(data)
        stage = convert_stage(first, self.converter, source, self.calibration_samples, seed)
        stage = replace(stage, steps=self.steps, encoding=self.encoding, readout=self.readout)
        return Victim((first, stage))


def convert_stage(
    ann: Stage, converter: Converter, data: SampleSet, samples: int, seed: int
) -> Stage:
    """Convert an ANN stage on calibration images drawn from a set; the ANN is left as it is."""
    start = time.perf_counter()
    network = converter.convert(ann.network, _calibration(ann, data, samples, seed))
    thresholds = [float(m.threshold) for m in network.modules() if isinstance(m, Spiking)]
    blueprint = replace(ann.blueprint, neuron=CONVERTED_NEURON, folded=True)
    stage = Stage("converted", blueprint, network, notes={})
    return with_notes(stage, thresholds=thresholds, seconds=time.perf_counter() - start)


def _calibration(ann: Stage, data: SampleSet, samples: int, seed: int) -> Iterator[Tensor]:
    chosen = generator(seed, "calibration").permutation(len(data))[:samples]
    with bar("calibrate", len(chosen)) as advance:
        for first in range(0, len(chosen), 128):
            batch = chosen[first : first + 128]
            yield to_floats(data.batch(batch)).to(ann.device)
            advance(len(batch))
