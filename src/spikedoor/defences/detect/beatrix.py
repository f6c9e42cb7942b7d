"""Poisoned samples have other correlations between features than clean ones."""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.errors import ConfigError
from spikedoor.rng import generator
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind, features

__all__ = ["Beatrix", "Bounds", "gram"]

Values = NDArray[np.float64]

_FOLDS = 5
_ELEMENTS = 1 << 24  # of Gram matrices held at once


@final
@DEFENCES.register("beatrix", source="Ma et al. 2023", link="https://arxiv.org/abs/2209.11715")
class Beatrix(DataDetector):
    """Compare the Gram matrices of features with those of clean samples of the same label.

    With the features F of a sample as a matrix [C, M], channels by pixels, its Gram matrix of order
    p is G^p = (F^p (F^p)^T)^(1/p), with powers and roots of each element that keep its sign. Bounds
    of each element of the upper triangle, median -+ ``width`` MAD, come from the defender's clean
    samples of the label. The deviation is the mean over elements and orders of how far an element
    is out of its bounds, relative to the bound. The score is the deviation over the 95 % quantile
    of clean samples of the label, each of which had its bounds from four of five folds that it is
    not in; above 1 is flagged.

    Needs: the training set with the labels as given, and five clean samples of each class or more.
    Looks at: features of the penultimate layer. Of a spiking stage, ``gram = "time"`` looks at
    steps in place of channels: S S^T with S [T, C], the spikes of each step and channel.
    Fails: where clean samples are so few that their medians say little, and on clean outliers: by
    design one in twenty is flagged.

    Deviations:
        The paper also asks whether the flagged samples of a class differ from its others as a
        group, by a kernel two-sample statistic; here each sample is judged alone. Channels of wide
        layers are averaged in groups.
    """

    features: Kind = "membrane"
    """What is looked at, with ``gram = "space"``."""
    gram: Literal["space", "time"] = "space"
    """Correlate channels over pixels, or steps over channels."""
    orders: int = Field(8, ge=1, le=16)
    """Highest order p."""
    width: float = Field(10.0, gt=0)
    """Median absolute deviations from the median to a bound."""
    layer_channels: int = Field(64, ge=1)
    """Channels are taken together in neighbouring groups where there are more."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return each sample's deviation, in units of what clean samples have."""
        train, seed = defender.training_set(self.name), defender.seed
        clean, given = (self._matrices(stage, data, seed) for data in (defender.clean, train))
        known, labels = np.asarray(defender.clean.labels), np.asarray(train.labels)
        scores, limits = np.zeros(len(labels)), {}
        for label in np.unique(labels):
            own = clean[known == label]
            if len(own) < _FOLDS:
                raise ConfigError(
                    f"defence '{self.name}': expected {_FOLDS} clean samples of class "
                    f"'{train.classes[label]}' or more, got {len(own)}"
                )
            limit = self._limit(own, seed, int(label))
            members = np.flatnonzero(labels == label)
            scores[members] = self._bounds(own).deviations(given[members], self.orders) / limit
            limits[train.classes[label]] = limit
        return Detection(scores, 1.0, {"limit": limits})

    def _matrices(self, stage: Stage, data: SampleSet, seed: int) -> Values:
        """Return the features of samples as matrices, float64 [N, C, M]."""
        if self.gram == "time":
            found = features(stage, data, "profile", seed=seed)
            return found.reshape(len(found), stage.steps, -1).astype(np.float64)
        whole = features(stage, data, self.features, seed=seed)
        channels = features(stage, data, self.features, channels=True, seed=seed, indices=_FIRST)
        found = whole.reshape(len(whole), channels.shape[1], -1).astype(np.float64)
        groups = np.array_split(np.arange(found.shape[1]), min(self.layer_channels, found.shape[1]))
        return np.stack([found[:, group].mean(1) for group in groups], 1)

    def _bounds(self, clean: Values) -> Bounds:
        grams = gram(clean, self.orders)
        middle = np.median(grams, 0)
        reach = self.width * np.median(np.abs(grams - middle), 0)
        return Bounds(middle - reach, middle + reach)

    def _limit(self, clean: Values, seed: int, label: int) -> float:
        """Return the 95 % quantile of clean deviations, each from bounds of other samples."""
        fold = generator(seed, f"folds of class {label}").permutation(len(clean)) % _FOLDS
        found = [
            self._bounds(clean[fold != i]).deviations(clean[fold == i], self.orders)
            for i in range(_FOLDS)
        ]
        return max(float(np.quantile(np.concatenate(found), 0.95)), 1e-12)


_FIRST = np.zeros(1, np.int64)


class Bounds(NamedTuple):
    """Between which an element of the Gram matrices is held for clean, [orders, E]."""

    low: Values
    high: Values

    def deviations(self, values: Values, orders: int) -> Values:
        """Return the mean exceedance of each sample, [N], a few samples at a time."""
        size = max(1, _ELEMENTS // self.low.size)
        parts = [self._of(gram(values[i : i + size], orders)) for i in range(0, len(values), size)]
        return np.concatenate([*parts, np.zeros(0)])

    def _of(self, grams: Values) -> Values:
        below = np.maximum(self.low - grams, 0) / np.maximum(np.abs(self.low), 1e-6)
        above = np.maximum(grams - self.high, 0) / np.maximum(np.abs(self.high), 1e-6)
        return (below + above).mean((1, 2))


def gram(values: Values, orders: int) -> Values:
    """Return the upper triangles of the Gram matrices of orders 1 to ``orders``.

    Shapes:
        values: [N, C, M]. Result: [N, orders, C (C + 1) / 2].
    """
    upper = np.triu_indices(values.shape[1])
    found = []
    for p in range(1, orders + 1):
        powers = np.sign(values) * np.abs(values) ** p
        product = (powers @ powers.transpose(0, 2, 1))[:, upper[0], upper[1]]
        found.append(np.sign(product) * np.abs(product) ** (1 / p))
    return np.stack(found, 1)
