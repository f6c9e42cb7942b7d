"""The two components of a poisoned class lie further apart than the halves of one cloud."""

from __future__ import annotations

from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.scan import whitened
from spikedoor.rng import generator
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind

__all__ = ["Separation", "ashman", "furthest"]

Values = NDArray[np.float64]

_DRAWS, _STARTS, _MOST = 8, 20, 1000
_FEWEST = 8  # samples of a class that is divided


@final
@DEFENCES.register("separation")
class Separation(DataDetector):
    """Divide each class in two as SCAn does, and ask how little the two overlap.

    SCAn compares a class with the others, whose median says little where classes are few or poison
    is rare. Here each class is held to a law: along the line through the means of its two
    components, ``D = |m_1 - m_2| / s`` (Ashman's measure, s the pooled standard deviation about
    them) over the mean D found in normal samples, as many in as many dimensions. Of several
    divisions, each by 2-means from another start, the one of largest D is taken, for the one of
    least variance may divide the clean samples. The score of the smaller component's samples is
    this ratio; other samples score 0.

    Needs: the training set with the labels as given, and samples that are mostly clean, to tell
    how classes spread: a few clean ones of each class, or the training set itself.
    Looks at: features of the penultimate layer; the mean membrane, unless another kind is chosen.
    Fails: where poison is half of a class or more, so that the clean part is named, or less than
    ``smallest`` of it; where features do not part poison from clean; on a clean class that
    is two things, such as two ways to write a figure, or that has wrong labels.

    Deviations:
        SCAn's model of features with another test. The threshold is ours, by measurement on 16
        dimensions; more of them show rarer poison, but clean classes then come further apart too,
        see ``docs/data-audit.md``.
    """

    features: Kind = "membrane"
    """What is looked at."""
    dimensions: int = Field(16, ge=1)
    """Dimensions kept by PCA, at most half as many as there are samples taken for clean."""
    smallest: float = Field(0.05, ge=0, lt=0.5)
    """Least share of a class that is a component; a few outliers are none."""
    ratio: float = Field(1.85, gt=1)
    """Above this many times the separation of one normal cloud a component is flagged."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how far a sample's component lies from the rest of its class, if it is smaller."""
        train, seed = defender.training_set(self.name), defender.seed
        given = whitened(self.name, stage, defender, self.features, self.dimensions)
        labels, state = np.asarray(train.labels), int(generator(seed, self.name).integers(2**30))
        scores, told = np.zeros(len(labels)), {}
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            if len(members) < _FEWEST:
                continue
            values = given[members]
            apart, second = furthest(values, self.smallest, state)
            count = min(len(values), _MOST)
            ratio = apart / _of_one_cloud(count, values.shape[1], self.smallest)
            scores[members[second]] = ratio
            told[train.classes[label]] = ratio
        return Detection(scores, self.ratio, {"separation": told})


def furthest(values: Values, smallest: float, state: int) -> tuple[float, NDArray[np.bool_]]:
    """Return the largest separation of some divisions in two, and who is of the smaller part.

    Args:
        values: [N, d].
        smallest: Least share that the smaller part has.
        state: Of the first start.
    """
    from sklearn.cluster import KMeans

    best, found = 0.0, np.zeros(len(values), np.bool_)
    if not np.ptp(values, axis=0).any():
        return best, found
    for start in range(state, state + _STARTS):
        means = KMeans(2, n_init=1, random_state=start)  # pyright: ignore[reportArgumentType]
        second = means.fit_predict(values).astype(np.bool_)
        second = second if second.mean() <= 0.5 else ~second
        if second.mean() >= smallest and (apart := ashman(values, second)) > best:
            best, found = apart, second
    return best, found


def ashman(values: Values, second: NDArray[np.bool_]) -> float:
    """Return ``|m_1 - m_2| / s`` along the line through the means of two groups; 0 with one only.

    s^2 is the variance about the mean of the own group, of all samples together; samples that
    coincide have a separation without bound, which is told as a very large one.

    Shapes:
        values: [N, d]. second: bool [N].
    """
    if second.all() or not second.any():
        return 0.0
    one, two = values[~second], values[second]
    apart = two.mean(0) - one.mean(0)
    length = float(np.linalg.norm(apart))
    if not length:
        return 0.0
    along = [(group - group.mean(0)) @ (apart / length) for group in (one, two)]
    spread = float(np.sqrt(np.square(np.concatenate(along)).mean()))
    return length / max(spread, 1e-9 * length)


@lru_cache(maxsize=256)
def _of_one_cloud(count: int, dimensions: int, smallest: float) -> float:
    """Return the mean of what `furthest` finds in normal samples, by simulation."""
    rng = generator(0, f"one cloud of {count} in {dimensions}")
    clouds = (rng.standard_normal((count, dimensions)) for _ in range(_DRAWS))
    return float(np.mean([furthest(cloud, smallest, 0)[0] for cloud in clouds]))
