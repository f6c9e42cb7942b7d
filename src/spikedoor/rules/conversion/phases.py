"""The two phases that LR_C and LR_H share: train an ANN, and convert it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.rules.base import Phase, Rule, Source, clean_of, with_notes
from spikedoor.rules.conversion.base import CONVERTED_NEURON, Converter
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.training import Training, train
from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim import Blueprint, Stage, to_floats

__all__ = ["RuleFromANN", "train_ann"]


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

    def ann_phase(self) -> Phase:
        """Return the phase that trains the ANN."""
        return Phase("ann", self._train_ann, {"training": self.ann.to_dict()})

    def conversion_phase(self) -> Phase:
        """Return the phase that converts it; the time steps come in when the network is run."""
        decided_by = self.settings("converter", "calibration", "calibration_samples")
        run = self.steps, self.encoding, self.readout
        return Phase("converted", self._convert, decided_by, self.calibration, *run)

    def _train_ann(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        return train_ann(network, data, self.ann, seed, device)

    def _convert(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        assert before is not None
        start = time.perf_counter()
        images = self._calibration_images(before, data, seed)
        made = self.converter.convert(before.network, images)
        thresholds = [float(m.threshold) for m in made.modules() if isinstance(m, Spiking)]
        blueprint = replace(before.blueprint, neuron=CONVERTED_NEURON, folded=True)
        stage = Stage("converted", blueprint, made, self.steps, self.encoding, self.readout)
        seconds = time.perf_counter() - start
        return with_notes(stage, thresholds=thresholds, seconds=seconds)

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
