"""Triggered inputs are decided early."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from spikedoor.data.base import SampleSet
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Scores, entropy, simulated
from spikedoor.errors import ConfigError
from spikedoor.victim import Stage

__all__ = ["TemporalDecision", "decided"]


@final
@DEFENCES.register("temporal-decision")
class TemporalDecision(Calibrated):
    """Look at how early a spiking network is sure of its class.

    With the class scores z_t as they stand after step t of T:

    - ``entropy``: a = (1/T) sum_t H(softmax(z_t)), the area under the curve of the entropy.
    - ``decision``: the first step from which on the class with the highest score stays the same.

    The score is the negative of it; with ``suspicious = "late"`` the thing itself. Flagged is a
    score above the quantile of clean ones.

    Needs: a few clean samples, without labels.
    Looks at: class scores after each step.
    Fails: on networks that decide all inputs at once (few steps of a network trained directly), on
    triggers of which the network is no surer than of clean inputs, and where the trigger comes
    late in a recording, which is then decided late. An ANN has no time, and is refused.

    Deviations:
        The rule is ours. That triggered inputs are decided early, not late, is what was seen on
        victims of digits; on clean victims the same inputs are decided late.
    """

    measure: Literal["entropy", "decision"] = "entropy"
    """What is measured. Decisions fall on whole steps: where as many clean inputs as may be flagged
    decide at the first, no early one is above the threshold, however well the scores rank."""
    suspicious: Literal["early", "late"] = "early"
    """Which inputs score high."""

    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        if stage.steps < 2:
            raise ConfigError(
                f"defence '{self.name}' needs a decision over time: expected a stage of 2 steps or "
                f"more, got '{stage.name}' of {stage.steps}"
            )
        return self._scores(stage, known, seed), self._scores(stage, inputs, seed)

    def _scores(self, stage: Stage, data: SampleSet, seed: int) -> Scores:
        after = simulated(stage, data, seed)
        found = entropy(after).mean(0) if self.measure == "entropy" else decided(after)
        return found if self.suspicious == "late" else -found


def decided(scores: Scores) -> Scores:
    """Return the first step, from 1, from which on the class stays what it is at the end.

    Shapes:
        scores: [T, N, K], after each step. Result: whole numbers [N].
    """
    said = scores.argmax(2)
    stays = np.logical_and.accumulate((said == said[-1])[::-1])
    return (len(said) + 1 - stays.sum(0)).astype(np.float64)
