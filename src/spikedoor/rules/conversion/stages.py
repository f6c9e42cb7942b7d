"""The two stages that LR_C and LR_H share: a trained ANN, and the network converted from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.rules.base import Rule, clean_of, with_notes
from spikedoor.rules.conversion.base import CONVERTED_NEURON, Converter
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.training import Training, train
from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim import Blueprint, Stage, to_floats

__all__ = ["RuleFromANN", "Source", "train_ann"]

Source = Literal["poisoned", "clean"]


class RuleFromANN(Rule):
    """A rule that starts from an ANN and converts it; rules with equal ``ann`` can share it."""

    ann: Training = Training()
    """How the ANN is trained."""
    converter: Converter = Percentile()
    """How thresholds are found."""
    calibration: Source = "poisoned"
    """Take calibration images from the training set as it is, or from its clean original."""
    calibration_samples: int = Field(1024, gt=0)
    """Number of calibration images."""
    steps: int = Field(32, ge=1)
    """Time steps T of the spiking network."""
    encoding: Encoding = Direct()
    """From image to current."""
    readout: Readout = MeanCurrent()
    """From head to scores."""

    def ann_and_converted(
        self, network: Architecture, data: SampleSet, seed: int, device: str, ann: Stage | None
    ) -> tuple[Stage, Stage]:
        """Return the given ANN, or train one; and the spiking network converted from it."""
        first = train_ann(network, data, self.ann, seed, device) if ann is None else ann
        start = time.perf_counter()
        images = self._calibration_images(first, data, seed)
        made = self.converter.convert(first.network, images)
        thresholds = [float(m.threshold) for m in made.modules() if isinstance(m, Spiking)]
        blueprint = replace(first.blueprint, neuron=CONVERTED_NEURON, folded=True)
        second = Stage("converted", blueprint, made, self.steps, self.encoding, self.readout)
        seconds = time.perf_counter() - start
        return first, with_notes(second, thresholds=thresholds, seconds=seconds)

    def _calibration_images(self, ann: Stage, data: SampleSet, seed: int) -> Iterator[Tensor]:
        source = data if self.calibration == "poisoned" else clean_of(data)
        shuffled = generator(seed, "calibration").permutation(len(source))
        chosen = shuffled[: self.calibration_samples]
        with bar("calibrate", len(chosen)) as advance:
            for first in range(0, len(chosen), 128):
                batch = chosen[first : first + 128]
                yield to_floats(source.batch(batch)).to(ann.device)
                advance(len(batch))


def train_ann(
    network: Architecture, data: SampleSet, how: Training, seed: int, device: str = "cpu"
) -> Stage:
    """Train the network with ReLU activations on cross-entropy."""
    blueprint = Blueprint(network, data.shape, data.classes)
    stage = Stage("ann", blueprint, blueprint.build(seed)).to(device)
    log = train(stage, data, CrossEntropy(), how, seed)
    return with_notes(stage, training=log.to_dict(), seconds=log.seconds)
