"""What detectors of inputs share: scores of samples, changed or not, and a threshold from them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spikedoor.data.base import Modality, SampleSet, modality_of
from spikedoor.defences.base import Detection, InputDetector
from spikedoor.defences.defender import Defender
from spikedoor.defences.inputs import Inputs
from spikedoor.errors import ConfigError
from spikedoor.snn.kernels import sparse
from spikedoor.victim import Stage

__all__ = ["Calibrated", "Changed", "Scores", "entropy", "probabilities", "simulated", "threshold"]

Scores = NDArray[np.float64]


class Calibrated(InputDetector):
    """A detector whose threshold is a quantile of its scores of clean samples.

    The share of false alarms holds, whatever the scores are, for inputs drawn as the defender's
    samples were. Had the victim been trained on these and not on the inputs, more may come; in an
    experiment ``defence.clean_from = "test"`` has them new to the victim.
    """

    false_positives: float = Field(0.05, gt=0, lt=1)
    """Share of clean inputs that may be flagged."""

    def detect(self, stage: Stage, defender: Defender, inputs: SampleSet) -> Detection:
        """Return the scores of the inputs; see the class for what they are.

        Raises:
            ConfigError: If the stage or the inputs lack what is looked at, or the defender has too
                few samples for the share of false alarms.
        """
        if not len(inputs):
            raise ConfigError(f"defence '{self.name}': expected one input or more, got none")
        sets = defender.clean, defender.validation
        known = Inputs(*sets, (np.arange(len(sets[0])), np.arange(len(sets[1]))))
        clean, scores = self._compared(stage, known, inputs, defender.seed)
        limit = threshold(clean, self.false_positives)
        told = {"false_positives": self.false_positives, "clean": len(known)}
        return Detection(scores, limit, told)

    @abstractmethod
    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        """Return scores of the defender's samples, as if each was new, and of the inputs."""


@dataclass(frozen=True, eq=False)
class Changed:
    """Samples of a set, changed as a batch is drawn.

    Args:
        base: The set; it is left as it is.
        change: Returns other samples in place of a batch, which it leaves as it is.
    """

    base: SampleSet
    change: Callable[[Any], Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.base.name

    @property
    def modality(self) -> Modality:
        """What a sample is."""
        return modality_of(self.base)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a sample."""
        return self.base.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.base.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the set."""
        return self.base.labels

    def __len__(self) -> int:
        return len(self.base)

    def batch(self, indices: NDArray[np.integer]) -> Any:
        """Return changed samples."""
        return self.change(self.base.batch(indices))


def simulated(
    stage: Stage,
    data: SampleSet,
    seed: int = 0,
    change: Callable[[Tensor], Tensor] | None = None,
) -> Scores:
    """Return the class scores of samples as they stand after each step.

    Args:
        stage: The stage.
        data: Samples to show.
        seed: Of a random encoding.
        change: Returns what the encoding is given in place of a prepared batch (`Stage.prepare`).

    Shapes:
        result: float64 [T, N, K]; T is 1 of an ANN.
    """
    stage.network.eval()
    found = [np.zeros((stage.steps, 0, len(data.classes)))]
    with sparse.packing_once(), torch.inference_mode():
        for _, prepared, generator in stage.batches(data, seed):
            shown = prepared if change is None else change(prepared)
            found.append(stage.simulate(shown, generator).double().cpu().numpy())
    return np.concatenate(found, 1)


def probabilities(scores: Scores) -> Scores:
    """Return the softmax over the last axis."""
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def entropy(scores: Scores) -> Scores:
    """Return the entropy of the softmax over the last axis, in nats."""
    p = probabilities(scores)
    return -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(-1)


def threshold(clean: Scores, false_positives: float) -> float:
    """Return what at most this share of new clean samples scores above, on average.

    Of n scores, the k-th smallest with k = ceil((n + 1)(1 - share)): a new one is equally likely
    to have any rank among the n + 1, so that it is above with a probability of share at most,
    whatever the distribution. A plain quantile promises this for large n only.

    Raises:
        ConfigError: If there are too few: even above the highest lie 1 of n + 1.
    """
    k = math.ceil((len(clean) + 1) * (1 - false_positives) - 1e-9)
    if k > len(clean):
        least = math.ceil(1 / false_positives - 1 - 1e-9)
        raise ConfigError(
            f"expected {least} or more clean samples for false_positives = {false_positives:g}, "
            f"got {len(clean)}; give the defender more, or allow more false alarms"
        )
    return float(np.sort(clean)[k - 1])
