"""The outputs of triggered inputs are charged in another way."""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Scores
from spikedoor.errors import ConfigError
from spikedoor.rng import generator
from spikedoor.victim import Stage
from spikedoor.victim.probe import HEAD, Probe, Quantity

__all__ = ["OutputVoltage", "distances", "margins"]

Curves = NDArray[np.float64]

_FOLDS = 5


@final
@DEFENCES.register("output-voltage")
class OutputVoltage(Calibrated):
    """Compare the output neurons' voltage or spikes over time with those of clean samples.

    With the head's current I_t the cumulative voltage is V_t = sum_{s <= t} I_s, that of outputs
    that never fire; the number of spikes S_t is cumulative likewise. The curves are V_t / t or
    S_t / t at up to ``points`` of the steps, and for the predicted class k

    - ``margin``: of each curve's value v, v_k - max_{j != k} v_j; all classes together.
    - ``outputs``: all v_j, less their mean over the clean samples that are predicted as k; a class
      that none is predicted as has the mean of all.

    score = (x - mu) C^-1 (x - mu), the squared Mahalanobis distance, with the covariance C of the
    clean samples about their means, shrunk after Ledoit and Wolf. Flagged is a score above the
    quantile of clean ones, each found without it (five folds).

    Needs: clean samples, a few of each class for ``outputs``, without labels.
    Looks at: current or spikes of the output layer at each step; of an ANN, its class scores.
    Fails: on triggers that charge the outputs as clean samples of the target do, which a network
    that learned its trigger well does; spikes say little of a few steps. It finds what is unusual:
    part of what it flags on images it flags on victims without a backdoor too.

    Deviations:
        The paper that proposes detection by accumulated membrane voltage and output spike sequences
        gives no decision rule, threshold or false-positive rate: the rule is ours.
    """

    quantity: Literal["voltage", "spikes"] = "voltage"
    """What is looked at; an ANN has no spikes."""
    curve: Literal["margin", "outputs"] = "outputs"
    """What is made of it."""
    points: int = Field(8, ge=1)
    """Steps looked at, evenly spread up to the last; all where there are fewer."""

    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        if self.quantity == "spikes" and stage.blueprint.neuron is None:
            raise ConfigError(
                f"defence '{self.name}': stage '{stage.name}' has no spikes; expected quantity = "
                '"voltage"'
            )
        if len(known) < _FOLDS:
            found = f"got {len(known)}"
            raise ConfigError(f"{self.name}: expected {_FOLDS} clean samples or more, {found}")
        clean, new = self._seen(stage, known, seed), self._seen(stage, inputs, seed)
        fold = generator(seed, "folds").permutation(len(known)) % _FOLDS
        scores = np.zeros(len(known))
        for i in range(_FOLDS):
            out = fold == i
            scores[out] = distances(clean.where(~out), clean.where(out))
        return scores, distances(clean, new)

    def _seen(self, stage: Stage, data: SampleSet, seed: int) -> _Seen:
        """Return the curves of samples."""
        asked: tuple[Quantity, ...] = ("current", "spikes")
        if self.quantity == "voltage":
            asked = ("current",)
        chosen = np.unique(np.linspace(stage.steps, 1, min(self.points, stage.steps)).round())
        steps = torch.as_tensor(chosen - 1, dtype=torch.int64)
        found: list[tuple[Curves, NDArray[np.int64]]] = []
        parts: list[tuple[Tensor, ...]] = []
        for piece in Probe(stage, [HEAD], asked).stream(data, seed=seed):
            parts.append(tuple(getattr(piece.traces[HEAD], name) for name in asked))
            if piece.first + len(parts[-1][0]) < stage.steps:
                continue
            seen = [torch.cat(part) for part in zip(*parts, strict=True)]
            parts.clear()
            total = seen[-1].double().cumsum(0).cpu()[steps]
            mean = (total / (steps + 1).view(-1, 1, 1)).transpose(0, 1).numpy()
            said = stage.readout.scores(seen[0])[-1].argmax(1).cpu().numpy()
            found.append((mean, said))
        curves, said = (np.concatenate(part) for part in zip(*found, strict=True))
        if self.curve == "margin":
            return _Seen(margins(curves, said), np.zeros_like(said))
        return _Seen(curves.reshape(len(curves), -1), said)


class _Seen(NamedTuple):
    """Some samples: their curves, float64 [N, F], and the groups they are compared in, int [N]."""

    curves: Curves
    group: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> _Seen:
        return _Seen(self.curves[chosen], self.group[chosen])


def margins(curves: Curves, said: NDArray[np.int64]) -> Curves:
    """Return by how much the predicted class is ahead of the best other, [N, t] of [N, t, K]."""
    at = said[:, None, None]
    others = curves.copy()
    np.put_along_axis(others, np.broadcast_to(at, (*curves.shape[:2], 1)), -np.inf, 2)
    return np.take_along_axis(curves, at, 2)[..., 0] - others.max(2)


def distances(clean: _Seen, new: _Seen) -> Scores:
    """Return the squared Mahalanobis distance of each new sample from its group's clean ones."""
    from sklearn.covariance import LedoitWolf

    count = max(clean.group.max(), new.group.max()) + 1
    means = np.tile(clean.curves.mean(0), (count, 1))
    for group in np.unique(clean.group):
        means[group] = clean.curves[clean.group == group].mean(0)

    def apart(seen: _Seen) -> Curves:
        return seen.curves - means[seen.group]

    spread = apart(clean)
    scale = spread.std(0)
    scale[scale == 0] = 1  # a neuron that does the same for all
    fitted = LedoitWolf(assume_centered=True).fit(spread / scale)
    return fitted.mahalanobis(apart(new) / scale)
