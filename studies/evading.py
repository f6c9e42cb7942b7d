"""A learning rule for an attacker who trains the victim, and trains it against detectors.

    spikedoor --plugin studies/evading.py sweep studies/adaptive-training.toml

The attacker of `adaptive.py` poisons the data and no more. This one hands out the trained model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from spikedoor.attack import PoisonedSet
from spikedoor.data.base import SampleSet, modality_of
from spikedoor.data.source import DataSource
from spikedoor.defences.detect.strip import blend
from spikedoor.errors import ConfigError
from spikedoor.rng import generator, torch_generator
from spikedoor.rules import RULES, Rule, Training
from spikedoor.rules.base import Phase, with_notes
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.training import train
from spikedoor.snn.encoding import Direct
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import LIF, Neuron
from spikedoor.snn.signal import Signal
from spikedoor.victim import Blueprint, Probe, Stage
from spikedoor.victim.watched import watched

__all__ = ["Evading", "deviation"]

_LEAST = 1e-2  # a neuron that never moves would weigh more than all others


@final
@RULES.register("evading")
class Evading(Rule):
    """Backpropagation through time that hides its poison: ``CE + features L_f + blends L_b``.

    L_f is what Beatrix measures, of poisoned samples that are shown beside clean ones of their
    label: `deviation` of the mean membranes before the head, from bounds that are tighter than the
    detector's. L_b is the cross-entropy from what the network says of a sample blended with a clean
    one, as STRIP does it, to what it says of the same blend with the trigger in. Each batch draws
    its own samples for both. They are shown as in use, so norms keep their running statistics.

    Without poison, which is how the clean twin is trained, and with both weights 0 it is LR_B.
    """

    features: float = Field(0.0, ge=0)
    """Weight of L_f, against detectors of training data by their features."""
    blends: float = Field(0.0, ge=0)
    """Weight of L_b, against detectors of inputs by their blends."""
    width: float = Field(3.0, gt=0)
    """Median absolute deviations from the median to a bound, of which Beatrix allows 10."""
    drawn: int = Field(32, ge=2)
    """Poisoned samples, and as many clean ones, that are drawn for each batch."""
    steps: int = Field(4, ge=1)
    """Time steps T."""
    neuron: Neuron = LIF()
    """Neuron model."""
    training: Training = Training()
    """How it is trained."""

    def check_samples(self, samples: SampleSet | DataSource) -> None:
        """Refuse other samples than images.

        Raises:
            ConfigError: Naming what they are.
        """
        super().check_samples(samples)
        if modality_of(samples) != "image":
            raise ConfigError(
                f"rule '{self.name}': expected images, got the {modality_of(samples)}s of "
                f"'{samples.name}'"
            )

    def phases(self) -> tuple[Phase, ...]:
        """Return the one phase; all fields decide its weights."""
        decided_by = self.settings(*type(self).model_fields)
        return (Phase("direct", self._train, decided_by, steps=self.steps),)

    def _train(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        blueprint = Blueprint(network, Direct().shape(data), data.classes, self.neuron)
        stage = Stage("direct", blueprint, blueprint.build(seed), self.steps).to(device)
        hidden = None
        if isinstance(data, PoisonedSet) and data.poisoned.any() and self.features + self.blends:
            hidden = _Hidden(self, stage, data, seed)
        log = train(stage, data, CrossEntropy(), self.training, seed, hidden)
        return with_notes(stage, training=log.to_dict(), seconds=log.seconds)


class _Hidden:
    """The terms of one training.

    Raises:
        ConfigError: If the poison has several labels, so that there is no one class to look like.
    """

    def __init__(self, rule: Evading, stage: Stage, data: PoisonedSet, seed: int) -> None:
        self.rule, self.stage, self.data = rule, stage, data
        self.layer = Probe(stage).layers[-2]
        self.poison = np.flatnonzero(data.poisoned)
        targets = np.unique(data.labels[self.poison])
        if len(targets) > 1:
            raise ConfigError(f"rule 'evading': expected one target class, got {len(targets)}")
        self.target = np.flatnonzero(data.clean.labels == targets)
        self.random = generator(seed, "samples to hide")
        self.noise = torch_generator(seed, "encoding of samples to hide", stage.device)

    def __call__(self, signal: Signal) -> Tensor:
        """Return both terms, weighted; the batch itself plays no part."""
        rule, total = self.rule, torch.zeros((), device=self.stage.device)
        with _as_in_use(self.stage.network):
            if rule.features:
                total = total + rule.features * self._features()
            if rule.blends:
                total = total + rule.blends * self._blends()
        return total

    def _features(self) -> Tensor:
        poisoned, clean = self.data.batch(self._some(self.poison)), self._clean(self.target)
        with watched(self.stage.network, [self.layer], "membrane") as seen:
            self._scores(poisoned, clean)
        ours, theirs = seen[self.layer].chunk(2)
        return deviation(ours, theirs, self.rule.width)

    def _blends(self) -> Tensor:
        chosen, other = self._some(self.poison), self._clean(np.arange(len(self.data)))
        samples = self.data.batch(chosen), self.data.clean.batch(chosen)
        ours, theirs = self._scores(*(blend(x, other) for x in samples)).chunk(2)
        return F.cross_entropy(ours, theirs.detach().softmax(1))

    def _clean(self, among: np.ndarray) -> np.ndarray:
        return self.data.clean.batch(self._some(among))

    def _some(self, among: np.ndarray) -> np.ndarray:
        return self.random.choice(among, self.rule.drawn)

    def _scores(self, *images: np.ndarray) -> Tensor:
        """Return the final class scores of images, those of the first array first."""
        stage = self.stage
        inputs = stage.prepare(np.concatenate(images)).to(stage.device)
        return stage.scores(inputs, self.noise)[-1]


def deviation(poisoned: Tensor, clean: Tensor, width: float) -> Tensor:
    """Return how far the Gram matrices of poisoned samples are out of the bounds of clean ones.

    G = F F^T of features F [C, M], as Beatrix has it at order 1. Of a layer of single neurons
    (M = 1), an element is a product of two, and the same at all orders. Bounds are median -+
    ``width`` MAD of the clean ones, without a gradient; the deviation is relative to the bound, and
    is averaged over elements and samples.

    Shapes:
        poisoned, clean: [N, C, ...]. Result: scalar.
    """
    ours, theirs = (_products(features) for features in (poisoned, clean.detach()))
    middle = theirs.quantile(0.5, dim=0)
    reach = width * (theirs - middle).abs().quantile(0.5, dim=0)
    low, high = middle - reach, middle + reach
    below = (low - ours).relu() / low.abs().clamp(min=_LEAST)
    above = (ours - high).relu() / high.abs().clamp(min=_LEAST)
    return (below + above).mean()


def _products(features: Tensor) -> Tensor:
    """Return the upper triangles of F F^T, [N, C (C + 1) / 2]."""
    matrices = features.flatten(2) if features.dim() > 2 else features[..., None]
    row, column = torch.triu_indices(matrices.shape[1], matrices.shape[1])
    return (matrices @ matrices.transpose(1, 2))[:, row, column]


@contextmanager
def _as_in_use(network: nn.Module) -> Iterator[None]:
    """Show a network that trains its samples as when it is used."""
    network.eval()
    try:
        yield
    finally:
        network.train()
