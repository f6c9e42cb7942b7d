"""All scores of one stage after one time step, from its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.metrics.migration import Ratio, migration_ratio, migration_retained
from spikedoor.metrics.rates import (
    Rate,
    attack_success,
    attack_success_all,
    clean_accuracy,
    diverged,
    recovered_accuracy,
)

__all__ = ["Answers", "Scores", "score"]

Predictions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a stage said after each step.

    Shapes:
        clean, triggered: integers [T, N], of the untouched and the triggered test samples, in the
            same order.
    """

    clean: Predictions
    triggered: Predictions

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.clean)


@dataclass(frozen=True)
class Scores:
    """The scores after ``step`` steps.

    Where clean accuracy is near chance (``diverged``), the success of the attack means nothing:
    `attack_success`, `attack_success_all` and both migrations are then None.
    """

    step: int
    clean_accuracy: Rate
    recovered_accuracy: Rate
    diverged: bool
    attack_success: Rate | None
    attack_success_all: Rate | None
    migration_ratio: Ratio | None = None
    migration_retained: Rate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values with every rate's count, value and interval."""
        plain: dict[str, Any] = {"step": self.step, "diverged": self.diverged}
        for name in _RATES:
            rate = getattr(self, name)
            plain[name] = None if rate is None else _described(rate)
        return plain


_RATES = (
    "clean_accuracy",
    "attack_success",
    "attack_success_all",
    "recovered_accuracy",
    "migration_ratio",
    "migration_retained",
)


def _described(rate: Rate | Ratio) -> dict[str, Any]:
    numbers = {"value": rate.value, "low": rate.interval[0], "high": rate.interval[1]}
    finite = {key: value if np.isfinite(value) else None for key, value in numbers.items()}
    return {**rate.to_dict(), **finite}


def score(
    answers: Answers,
    labels: Predictions,
    targets: Predictions,
    classes: int,
    ann: Answers | None = None,
    step: int | None = None,
) -> Scores:
    """Return the scores after a step (the last by default).

    Args:
        answers: Predictions of the stage.
        labels: True labels [N].
        targets: Label the attacker wants of each sample [N].
        classes: Number of classes.
        ann: Predictions of the ANN it came from; without, there is no migration.
        step: Which step, from 1.
    """
    step = answers.steps if step is None else step
    clean, triggered = answers.clean[step - 1], answers.triggered[step - 1]
    accuracy = clean_accuracy(clean, labels)
    recovered = recovered_accuracy(triggered, labels, targets)
    if diverged(accuracy, classes):
        return Scores(step, accuracy, recovered, True, None, None)
    before = None if ann is None else ann.triggered[-1]
    return Scores(
        step,
        accuracy,
        recovered,
        False,
        attack_success(triggered, labels, targets),
        attack_success_all(triggered, targets),
        None if before is None else migration_ratio(before, triggered, labels, targets),
        None if before is None else migration_retained(before, triggered, labels, targets),
    )
