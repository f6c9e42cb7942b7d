"""Poisoned samples of a class lie far out along its direction of largest variance."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind, features

__all__ = ["SpectralSignatures", "signatures"]

Features = NDArray[np.float64]


@final
@DEFENCES.register(
    "spectral-signatures", source="Tran, Li, Madry 2018", link="https://arxiv.org/abs/1811.00636"
)
class SpectralSignatures(DataDetector):
    """Project the samples of each class on the top singular vector of their centred features.

    With the features phi of the samples that carry label k, their mean mu and v, the top right
    singular vector of the rows phi - mu, a sample has the outlyingness tau = ((phi - mu) v)^2. Its
    score is tau over the quantile of its class that leaves ``removed`` of the class above it; what
    scores above 1 is flagged, the same share of every class.

    Needs: the training set, poisoned or not, with the labels as given.
    Looks at: features of the penultimate layer; the mean membrane, unless another kind is chosen.
    Fails: where the poison is half of a class or more, for then the clean samples lie as far out;
    where cover samples join the two. It flags its share of clean classes too, by design.

    Deviations:
        The authors' code projects features that are not centred; ``centred = false`` does so. They
        reckon with a known share of poison and remove 1.5 times as many.
    """

    features: Kind = "membrane"
    """What is looked at."""
    removed: float = Field(0.15, gt=0, lt=1)
    """Share of each class that is flagged."""
    centred: bool = True
    """Take the mean off before projecting, as the formula has it."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how far out each sample is, in units of its class's quantile."""
        train = defender.training_set(self.name)
        found = features(stage, train, self.features, seed=defender.seed).astype(np.float64)
        labels = np.asarray(train.labels)
        scores = np.zeros(len(labels))
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            tau = signatures(found[members], self.centred)
            limit = np.quantile(tau, 1 - self.removed, method="lower")
            scores[members] = tau / limit if limit > 0 else (tau > 0) * 2.0
        return Detection(scores, 1.0)


def signatures(values: Features, centred: bool = True) -> NDArray[np.float64]:
    """Return the outlyingness of each row, [N] of [N, F]."""
    from scipy.linalg import eigh

    apart = values - values.mean(0)
    # The smaller of the two matrices that have the singular values squared.
    wide = apart.shape[1] > apart.shape[0]
    gram = apart @ apart.T if wide else apart.T @ apart
    last = len(gram) - 1
    _, vectors = eigh(gram, subset_by_index=[last, last])
    top = apart.T @ vectors[:, 0] if wide else vectors[:, 0]
    length = np.linalg.norm(top)
    if not length:
        return np.zeros(len(values))
    along: Features = (apart if centred else values) @ (top / float(length))
    return along**2
