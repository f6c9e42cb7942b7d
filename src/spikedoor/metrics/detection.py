"""How well scores tell the poisoned from the clean, and what a repair was worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikedoor.errors import ConfigError
from spikedoor.metrics.checks import counts
from spikedoor.metrics.intervals import Z95
from spikedoor.metrics.rates import Rate

__all__ = ["Auroc", "auroc", "defence_effectiveness", "found_and_false", "rate_at"]


@dataclass(frozen=True)
class Auroc:
    """Area under the ROC curve: how often a positive scores higher than a negative.

    Args:
        halves: Twice the number of pairs of a positive and a negative in which the positive is
            higher; a tie counts as one.
        positives: Number of positives.
        negatives: Number of negatives.

    Raises:
        ConfigError: Unless 0 <= halves <= 2 positives negatives.
    """

    halves: int
    positives: int
    negatives: int

    def __post_init__(self) -> None:
        if min(self.positives, self.negatives) < 0 or not (
            0 <= self.halves <= 2 * self.positives * self.negatives
        ):
            raise ConfigError(
                f"auroc: expected 0 <= halves <= 2 positives negatives, got {self.halves}, "
                f"{self.positives} and {self.negatives}"
            )

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.positives + self.negatives

    @property
    def value(self) -> float:
        """The area; 0.5 is chance. nan without samples of either kind."""
        pairs = self.positives * self.negatives
        return self.halves / (2 * pairs) if pairs else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, clipped to [0, 1]; (0, 1) without samples of either kind.

        A -+ 1.96 s with s^2 = (A(1-A) + (n-1)(A/(2-A) - A^2) + (m-1)(2A^2/(1+A) - A^2)) / (n m), n
        positives and m negatives. At A of 0 or 1, s is 0 whatever the numbers.

        References:
            Hanley, McNeil 1982, The meaning and use of the area under a receiver operating
            characteristic curve, Radiology 143:29, https://doi.org/10.1148/radiology.143.1.7063747
        """
        if not self.positives * self.negatives:
            return 0.0, 1.0
        a, n, m = self.value, self.positives, self.negatives
        q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
        variance = (a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)
        reach = Z95 * math.sqrt(max(variance, 0.0))
        return max(a - reach, 0.0), min(a + reach, 1.0)

    def __str__(self) -> str:
        of = f"(n={self.positives}+{self.negatives})"
        if not self.positives * self.negatives:
            return f"undefined {of}"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] {of}"

    def to_dict(self) -> dict[str, int]:
        """Return the three counts; `from_dict` reads them back."""
        return {name: getattr(self, name) for name in ("halves", "positives", "negatives")}

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Make an area from its three counts."""
        return cls(**counts("auroc", value, ("halves", "positives", "negatives")))


def auroc(scores: ArrayLike, positive: ArrayLike) -> Auroc:
    """Return the area under the ROC curve, ties counted as half.

    Shapes:
        scores: numbers [N], the higher the more suspicious. positive: bool [N].
    """
    from scipy.stats import rankdata

    values, wanted = _checked(scores, positive)
    n, m = int(wanted.sum()), int((~wanted).sum())
    # Mann and Whitney: the sum of the positives' ranks, less what they have among themselves.
    doubled = round(2 * float(rankdata(values)[wanted].sum())) - n * (n + 1)
    return Auroc(doubled, n, m)


def rate_at(scores: ArrayLike, positive: ArrayLike, false_positives: float) -> Rate:
    """Return the true-positive rate where at most this share of the negatives is flagged.

    Flagged is what scores above a threshold; of all thresholds that flag no more than
    floor(false_positives * M) of M negatives, the lowest is taken. 0 of 0 without positives.

    Shapes:
        scores: numbers [N], the higher the more suspicious. positive: bool [N].
    """
    values, wanted = _checked(scores, positive)
    negatives = np.sort(values[~wanted])[::-1]
    allowed = int(false_positives * len(negatives) + 1e-9)
    threshold = negatives[allowed] if allowed < len(negatives) else -math.inf
    return Rate(int((values[wanted] > threshold).sum()), int(wanted.sum()))


def found_and_false(flagged: ArrayLike, positive: ArrayLike) -> tuple[Rate, Rate]:
    """Return the true-positive and the false-positive rate of a decision.

    Nothing flagged means 0 of both, with all positives missed.

    Shapes:
        flagged, positive: bool [N].
    """
    said, wanted = _checked(np.asarray(flagged, dtype=np.bool_), positive)
    hits = said.astype(np.bool_)
    return (
        Rate(int((hits & wanted).sum()), int(wanted.sum())),
        Rate(int((hits & ~wanted).sum()), int((~wanted).sum())),
    )


def defence_effectiveness(
    accuracy: float, success: float, accuracy_after: float, success_after: float
) -> float:
    """Return the defence effectiveness rating (DER) of a repair, in [0, 1].

    (max(0, ASR - ASR') - max(0, CA - CA') + 1) / 2, with what was before the repair and, primed,
    after it: 1 removes all of a perfect backdoor at no cost in clean accuracy, 0.5 does nothing.

    References:
        Zhu et al. 2023, Enhancing fine-tuning based backdoor defense with sharpness-aware
        minimization, https://arxiv.org/abs/2304.11823
    """
    gained, lost = max(0.0, success - success_after), max(0.0, accuracy - accuracy_after)
    return (gained - lost + 1) / 2


def _checked(
    scores: ArrayLike, positive: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, wanted = np.asarray(scores, dtype=np.float64), np.asarray(positive)
    if values.ndim != 1 or values.shape != wanted.shape or wanted.dtype != np.bool_:
        raise ConfigError(
            f"expected scores [N] and a truth for each, got {list(values.shape)} and "
            f"{wanted.dtype} {list(wanted.shape)}"
        )
    if not np.isfinite(values).all():
        raise ConfigError("expected finite scores")
    return values, wanted
