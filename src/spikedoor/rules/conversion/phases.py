"""The two phases that LR_C and LR_H share: train an ANN, and convert it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.rules.base import Make, Phase, Rule, Source, clean_of, with_notes
from spikedoor.rules.conversion.base import Converter
from spikedoor.rules.conversion.percentile import Percentile
from spikedoor.rules.conversion.report import report
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training, train
from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.snn.rectifiers import Nonlinearity, ReLU
from spikedoor.victim import Blueprint, Stage

__all__ = ["RuleFromANN", "ann_phase", "train_ann"]

_REPORTED = 256  # calibration images that the report is made on
_REPORTED_STEPS = 32


class RuleFromANN(Rule):
    """A rule that starts from an ANN and converts it; rules with equal ``ann`` can share it."""

    ann: Training = Training()
    """How the ANN is trained."""
    activation: Nonlinearity = ReLU()
    """Activation of the ANN."""
    converter: Converter = Percentile()
    """How thresholds are found."""
    calibration: Source = "poisoned"
    """Take calibration images from the training set as it is, or from its clean original."""
    calibration_samples: int = Field(1024, gt=0)
    """Number of calibration images."""
    steps: int = Field(32, ge=1)
    """Time steps T of the spiking network."""
    encoding: Encoding = Direct()
    """From sample to current: an image, or a recording of events. The ANN is shown the mean over
    the time steps: the image itself, or the sum of a recording's frames."""
    readout: Readout = MeanCurrent()
    """From head to scores."""

    @model_validator(mode="after")
    def _trained_as_the_converter_needs_it(self) -> Self:
        needed = self.converter.trained_with
        if needed not in (None, self.activation.name):
            raise ValueError(
                f"converter '{self.converter.name}' needs an ANN trained with activation = "
                f"'{needed}', got '{self.activation.name}'"
            )
        return self

    def check(self, network: Architecture, data: SampleSet) -> None:
        shape = self.encoding.shape(data)
        planned = Blueprint(network, shape, data.classes, activation=self.activation)
        self.converter.check(planned.build(None))

    def ann_phase(self) -> Phase:
        """Return the phase that trains the ANN."""
        decided_by = {"training": self.ann.to_dict(), **self.settings("activation")}
        shown = self.encoding.for_ann(self.steps)
        return ann_phase(self._train_ann, decided_by, shown)

    def conversion_phase(self) -> Phase:
        """Return the phase that converts it.

        The time steps come in when the network is run, and decide on the network itself only where
        the converter uses them.
        """
        names = ["converter", "calibration", "calibration_samples"]
        decided_by = self.settings(*names, *["steps"] * self.converter.uses_steps)
        run = self.steps, self.encoding, self.readout
        return Phase("converted", self._convert, decided_by, self.calibration, *run)

    def _train_ann(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        shown = self.encoding.for_ann(self.steps)
        return train_ann(network, data, self.ann, seed, device, self.activation, encoding=shown)

    def _convert(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        assert before is not None
        start = time.perf_counter()
        shown: list[Tensor] = []
        images = self._calibration_images(before, data, seed, shown)
        made = self.converter.convert(before.network, images, self.steps)
        seconds = time.perf_counter() - start
        blueprint = replace(before.blueprint, neuron=self.converter.neuron, folded=True)
        stage = Stage("converted", blueprint, made, self.steps, self.encoding, self.readout)
        thresholds = [float(m.threshold) for m in made.modules() if isinstance(m, Spiking)]
        # Networks for several T are one where the converter does not use T, and so is the report.
        steps = self.steps if self.converter.uses_steps else _REPORTED_STEPS
        found = report(before.network, made, torch.cat(shown)[:_REPORTED], steps)
        return with_notes(stage, thresholds=thresholds, seconds=seconds, report=found)

    def _calibration_images(
        self, ann: Stage, data: SampleSet, seed: int, shown: list[Tensor]
    ) -> Iterator[Tensor]:
        """Yield the calibration images in batches; the first ones are left in ``shown`` too."""
        source = data if self.calibration == "poisoned" else clean_of(data)
        shuffled = generator(seed, "calibration").permutation(len(source))
        chosen = shuffled[: self.calibration_samples]
        with bar("calibrate", len(chosen)) as advance:
            for first in range(0, len(chosen), 128):
                batch = chosen[first : first + 128]
                inputs = ann.prepare(source.batch(batch)).to(ann.device)
                images = ann.encode(inputs, torch.Generator(ann.device)).data  # nothing is drawn
                if first < _REPORTED:
                    shown.append(images)
                yield images
                advance(len(batch))


def ann_phase(make: Make, decided_by: dict[str, Any], encoding: Encoding) -> Phase:
    """Return the phase of an ANN.

    What it is shown decides nothing where it is the image, for which there is one way only.
    """
    if encoding != Direct():
        decided_by = decided_by | {"encoding": encoding.to_dict()}
    return Phase("ann", make, decided_by, encoding=encoding)


def train_ann(
    network: Architecture,
    data: SampleSet,
    how: Training,
    seed: int,
    device: str = "cpu",
    activation: Nonlinearity = ReLU(),  # noqa: B008 (frozen)
    loss: Loss = CrossEntropy(),  # noqa: B008 (frozen)
    encoding: Encoding = Direct(),  # noqa: B008 (frozen)
) -> Stage:
    """Train the network as an ANN."""
    shape = encoding.shape(data)
    blueprint = Blueprint(network, shape, data.classes, activation=activation)
    stage = Stage("ann", blueprint, blueprint.build(seed), encoding=encoding).to(device)
    log = train(stage, data, loss, how, seed)
    return with_notes(stage, training=log.to_dict(), seconds=log.seconds)
