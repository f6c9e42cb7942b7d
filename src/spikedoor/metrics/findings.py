"""What a detector says, beside the truth, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import ConfigError
from spikedoor.metrics.detection import Auroc, auroc, found_and_false, rate_at
from spikedoor.metrics.rates import Rate

__all__ = ["Detected", "Detection", "Task", "detection_scores"]

Task = Literal["data", "input", "model", "eliminate"]
"""What a defence works on: training data, inputs at run time, or a whole model; or it repairs."""

Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Detection:
    """How suspicious each sample, or each class, is.

    Args:
        scores: Finite numbers, the higher the more suspicious; float64 [N] of samples, [K] of
            classes.
        threshold: What its source calls a finding has a score above this.
        details: Plain values for the record, such as how the threshold came about.

    Raises:
        ConfigError: If the scores are no row of finite numbers.
    """

    scores: NDArray[np.float64]
    threshold: float
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, dtype=np.float64)
        if scores.ndim != 1 or not np.isfinite(scores).all():
            raise ConfigError(
                f"detection: expected finite scores [N], got {scores.dtype} {list(scores.shape)} "
                f"with {int((~np.isfinite(scores)).sum())} that are not finite"
            )
        object.__setattr__(self, "scores", scores)

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """What is found by the threshold of the source, bool, like the scores."""
        return self.scores > self.threshold


@dataclass(frozen=True, eq=False)
class Detected:
    """What a detector found, and what there was to find.

    Args:
        detection: Scores and threshold.
        positive: The truth, bool, like the scores: poisoned samples, triggered inputs, or target
            classes of a poisoned model.
    """

    detection: Detection
    positive: NDArray[np.bool_]


def detection_scores(
    found: Mapping[Literal["victim", "twin"], Sequence[Detected]], task: Task
) -> dict[str, Rate | Auroc]:
    """Return how well a detector does, by measure; what is not defined is left out.

    Args:
        found: What it found, by owner; of several folds, one after the other.
        task: Of the detector.
    """
    if task == "model":
        return _accusations(found)
    measured: dict[str, Rate | Auroc] = {}
    if victim := found.get("victim"):
        scores, flagged, positive = _together(victim)
        if positive.any():
            measured["auroc"] = auroc(scores, positive)
            measured["found_at_1"] = rate_at(scores, positive, 0.01)
            measured["found_at_5"] = rate_at(scores, positive, 0.05)
            measured["found"] = found_and_false(flagged, positive)[0]
        measured["false_alarms"] = found_and_false(flagged, positive)[1]
    if twin := found.get("twin"):
        _, flagged, positive = _together(twin)
        measured["twin_false_alarms"] = found_and_false(flagged, positive)[1]
    return measured


def _together(parts: Sequence[Detected]) -> tuple[NDArray[np.float64], Truths, Truths]:
    """Return scores, what is flagged, and the truth, of all parts."""
    scores = np.concatenate([one.detection.scores for one in parts])
    flagged = np.concatenate([one.detection.flagged for one in parts])
    return scores, flagged, np.concatenate([one.positive for one in parts])


def _accusations(
    found: Mapping[Literal["victim", "twin"], Sequence[Detected]],
) -> dict[str, Rate | Auroc]:
    """Return the same of whole models: each is found, or falsely accused, or neither."""
    measured: dict[str, Rate | Auroc] = {}
    victim = found.get("victim", ())
    if poisoned := [one for one in victim if one.positive.any()]:
        hits = [bool((one.detection.flagged & one.positive).any()) for one in poisoned]
        measured["found"] = Rate(sum(hits), len(hits))
        scores, _, positive = _together(poisoned)
        if len(poisoned) == 1 and not positive.all():
            measured["auroc"] = auroc(scores, positive)
    for name, models in (("false_alarms", victim), ("twin_false_alarms", found.get("twin", ()))):
        if clean := [one for one in models if not one.positive.any()]:
            measured[name] = Rate(sum(bool(m.detection.flagged.any()) for m in clean), len(clean))
    return measured
