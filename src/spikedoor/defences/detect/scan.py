"""A poisoned class is a mixture of two, where all share one spread."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.outliers import anomaly
from spikedoor.errors import ConfigError
from spikedoor.rng import generator
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind, features

__all__ = ["Scan", "Spread", "decompose", "whitened"]

Values = NDArray[np.float64]

_MOST_ROUNDS, _CLOSE = 100, 1e-5


@final
@DEFENCES.register("scan", source="Tang et al. 2021", link="https://arxiv.org/abs/1908.00686")
class Scan(DataDetector):
    """Ask of each class whether two components explain it better than one (SCAn).

    On the defender's clean samples, features are modelled as phi = mu_y + e with mu ~ N(0, S_mu)
    and e ~ N(0, S_e), both covariances found by EM. The samples of a class are then divided in two
    by maximum likelihood with S_e shared (2-means in the space where S_e is the identity), and
    J_k = (1 / N_k) 2 log(L_two / L_one) says what that gains. The score of the smaller component's
    samples is the class's anomaly index (J_k - median J) / (1.4826 MAD), 0 where J is below the
    median; other samples score 0. Above e^2 is flagged.

    Needs: the training set with the labels as given, and a few clean samples of each class.
    Looks at: features of the penultimate layer; the mean membrane, unless another kind is chosen.
    Fails: where poison is half of a class or more, or too little of it to make a component; where
    it is spread over all classes (all-to-all), so that none stands out; with few classes, whose
    median says little; where features do not part poison from clean.

    Deviations:
        Features are first reduced by PCA, so that the covariances can be had from few samples, and
        J is divided by the number of samples of the class.
    """

    features: Kind = "membrane"
    """What is looked at."""
    dimensions: int = Field(16, ge=1)
    """Dimensions kept by PCA, at most half as many as there are clean samples."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return the anomaly index of a sample's class, where it is of the smaller component."""
        train = defender.training_set(self.name)
        given = whitened(self.name, stage, defender, self.features, self.dimensions)
        state = int(generator(defender.seed, "SCAn").integers(2**31))
        labels = np.asarray(train.labels)
        names = np.unique(labels)
        gains, small = np.zeros(len(names)), np.zeros(len(labels), np.bool_)
        for i, label in enumerate(names):
            members = np.flatnonzero(labels == label)
            gains[i], second = _two(given[members], state)
            small[members[second]] = True
        index = anomaly(gains)
        scores = np.where(small, np.maximum(index, 0)[np.searchsorted(names, labels)], 0.0)
        told = dict(zip((train.classes[k] for k in names), index.tolist(), strict=True))
        return Detection(scores, float(np.e**2), {"anomaly_index": told})


class Spread(NamedTuple):
    """The covariances of class means and of what is around them, [d, d]."""

    between: Values
    within: Values

    def whitened(self, values: Values) -> Values:
        """Return rows in the space where ``within`` is the identity."""
        whitened: Values = np.linalg.solve(np.linalg.cholesky(self.within), values.T).T.astype(
            float
        )
        return whitened


def whitened(name: str, stage: Stage, defender: Defender, kind: Kind, dimensions: int) -> Values:
    """Return features of the training set where the spread within classes is the identity.

    Args:
        name: The defence that asks.
        stage: The stage to look into.
        defender: Whose clean samples tell PCA and spread.
        kind: What is looked at.
        dimensions: Kept by PCA, at most half as many as there are clean samples.

    Raises:
        ConfigError: If there are fewer than two clean samples, or no training set.
    """
    from sklearn.decomposition import PCA

    train, seed = defender.training_set(name), defender.seed
    given = features(stage, train, kind, seed=seed).astype(np.float64)
    clean = given
    if defender.clean is not train:
        clean = features(stage, defender.clean, kind, seed=seed).astype(np.float64)
    kept = min(dimensions, len(clean) // 2, clean.shape[1])
    if kept < 1:
        raise ConfigError(f"defence '{name}': expected 2 clean samples or more")
    state = int(generator(seed, "SCAn").integers(2**31))
    fitted = PCA(kept, random_state=state).fit(clean)
    spread = decompose(fitted.transform(clean), np.asarray(defender.clean.labels))
    return spread.whitened(fitted.transform(given))


def decompose(values: Values, labels: NDArray[np.int64]) -> Spread:
    """Return both covariances by EM, from rows [N, d] about their common mean.

    E: mu_k has the mean m_k = S_mu (n_k S_mu + S_e)^-1 sum x, and the covariance P_k =
    S_mu (n_k S_mu + S_e)^-1 S_e. M: S_mu is the mean over classes of m m^T + P, S_e that over
    samples of (x - m)(x - m)^T + P.
    """
    values = values - values.mean(0)
    names, group = np.unique(labels, return_inverse=True)
    counts = np.bincount(group).astype(np.float64)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, group, values)
    floor = (1e-6 * np.square(values).mean() + 1e-12) * np.eye(values.shape[1])
    means = sums / counts[:, None]
    between, within = _covariance(means) + floor, _covariance(values - means[group]) + floor
    for _ in range(_MOST_ROUNDS):
        before = within
        gains = [between @ np.linalg.inv(n * between + within) for n in counts]
        means = np.stack([gain @ total for gain, total in zip(gains, sums, strict=True)])
        unsure = np.stack([gain @ within for gain in gains])
        within = _covariance(values - means[group]) + floor
        within += np.einsum("k,kij->ij", counts, unsure) / len(values)
        between = _covariance(means) + unsure.mean(0) + floor
        if np.linalg.norm(within - before) <= _CLOSE * np.linalg.norm(within):
            break
    return Spread(between, within)


def _covariance(rows: Values) -> Values:
    return rows.T @ rows / len(rows)


def _two(values: Values, state: int) -> tuple[float, NDArray[np.bool_]]:
    """Return what two components gain a sample, and which samples are of the smaller one."""
    from sklearn.cluster import KMeans

    if len(values) < 3 or not np.ptp(values, axis=0).any():
        return 0.0, np.zeros(len(values), np.bool_)
    means = KMeans(2, n_init=10, random_state=state)  # pyright: ignore[reportArgumentType]
    second = means.fit_predict(values).astype(np.bool_)
    alone = ((values - values.mean(0)) ** 2).sum()
    gain = float(alone - means.inertia_) / len(values)
    return gain, second if second.mean() <= 0.5 else ~second
