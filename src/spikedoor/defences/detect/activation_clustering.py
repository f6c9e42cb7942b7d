"""Poisoned samples of a class lie apart from its others."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.rng import generator
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind, features

__all__ = ["ActivationClustering"]


@final
@DEFENCES.register(
    "activation-clustering", source="Chen et al. 2018", link="https://arxiv.org/abs/1811.03728"
)
class ActivationClustering(DataDetector):
    """Divide each class of the training set in two by its features.

    The features of the samples that carry a label are reduced to a few dimensions (PCA) and
    clustered by 2-means. A sample of the smaller cluster scores 1 - 2 share, with the share of its
    class that the cluster has; all others score 0. Above ``1 - 2 relative_size`` it is flagged.

    Needs: the training set, poisoned or not, with the labels as given.
    Looks at: features of the penultimate layer; the mean membrane, unless another kind is chosen.
    Fails: where poison is the greater part of a class, is a tiny one, or where cover samples or
    weak triggers keep the two apart in nothing that 2-means sees; it always divides a clean class.

    Deviations:
        PCA in place of the paper's ICA, as its authors' own library has it. The score within a
        cluster is the same for all its samples.
    """

    features: Kind = "membrane"
    """What is looked at."""
    dimensions: int = Field(10, ge=1)
    """Dimensions kept."""
    relative_size: float = Field(0.35, gt=0, le=0.5)
    """A cluster is flagged where it has a smaller share of its class than this."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how much smaller than half a sample's cluster is."""
        train = defender.training_set(self.name)
        found = features(stage, train, self.features, seed=defender.seed)
        labels = np.asarray(train.labels)
        scores = np.zeros(len(labels))
        shares: dict[str, float] = {}
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            inside = self._divided(found[members], defender.seed, int(label))
            if inside is not None:
                share = float(inside.mean())
                scores[members[inside]] = 1 - 2 * share
                shares[train.classes[label]] = share
        return Detection(scores, 1 - 2 * self.relative_size, {"smaller_share": shares})

    def _divided(
        self, values: NDArray[np.float32], seed: int, label: int
    ) -> NDArray[np.bool_] | None:
        """Return which samples of a class are in its smaller cluster; None of too few."""
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        if len(values) < 3 or not np.ptp(values, axis=0).any():
            return None
        state = int(generator(seed, f"clusters of class {label}").integers(2**31))
        kept = min(self.dimensions, *values.shape)
        reduced = PCA(kept, random_state=state).fit_transform(values.astype(np.float64))
        means = KMeans(2, n_init=10, random_state=state)  # pyright: ignore[reportArgumentType]
        cluster = means.fit_predict(reduced).astype(np.bool_)
        return cluster if cluster.mean() <= 0.5 else ~cluster
