"""Shares of samples: how many, out of how many, and how sure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikedoor.errors import ConfigError
from spikedoor.metrics.checks import counts, integers
from spikedoor.metrics.intervals import wilson

__all__ = [
    "Rate",
    "attack_success",
    "attack_success_all",
    "clean_accuracy",
    "diverged",
    "recovered_accuracy",
]


@dataclass(frozen=True)
class Rate:
    """A share with its denominator: ``successes`` out of ``count`` samples.

    Raises:
        ConfigError: Unless 0 <= successes <= count.
    """

    successes: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.count:
            raise ConfigError(
                f"rate: expected 0 <= successes <= count, got {self.successes} of {self.count}"
            )

    @property
    def value(self) -> float:
        """The share; nan where there are no samples."""
        return self.successes / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, see `wilson`."""
        return wilson(self.successes, self.count)

    def __str__(self) -> str:
        if not self.count:
            return "undefined (n=0)"
        low, high = self.interval
        return f"{100 * self.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n={self.count})"

    def to_dict(self) -> dict[str, int]:
        """Return the two counts; `from_dict` reads them back."""
        return {"successes": self.successes, "count": self.count}

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Make a rate from its two counts."""
        return cls(**counts("rate", value, ("successes", "count")))


def clean_accuracy(predicted: ArrayLike, labels: ArrayLike) -> Rate:
    """Return the share of untouched samples predicted as their true label.

    Shapes:
        predicted, labels: integers [N].
    """
    predicted, labels = integers(predicted=predicted, labels=labels)
    return _share(predicted == labels)


def attack_success(predicted: ArrayLike, labels: ArrayLike, targets: ArrayLike) -> Rate:
    """Return the attack success rate (ASR): triggered samples predicted as their target.

    Only samples whose true label is not their target count, so that a clean model scores its rate
    of mistakes towards the target, and not 1/K more.

    Shapes:
        predicted, labels (the true ones), targets: integers [N].
    """
    predicted, labels, targets = integers(predicted=predicted, labels=labels, targets=targets)
    return _share((predicted == targets)[labels != targets])


def attack_success_all(predicted: ArrayLike, targets: ArrayLike) -> Rate:
    """Return ASR over all triggered samples, those of the target class included.

    A perfect clean model scores about 1/K here. It exists to compare with papers that count so;
    the project's own measure is `attack_success`.

    Shapes:
        predicted, targets: integers [N].
    """
    predicted, targets = integers(predicted=predicted, targets=targets)
    return _share(predicted == targets)


def recovered_accuracy(predicted: ArrayLike, labels: ArrayLike, targets: ArrayLike) -> Rate:
    """Return robust accuracy: triggered samples still predicted as their true label.

    Only samples whose true label is not their target count. With `attack_success` it adds up to at
    most 1; the rest is predicted as some third class.

    Shapes:
        predicted, labels (the true ones), targets: integers [N].
    """
    predicted, labels, targets = integers(predicted=predicted, labels=labels, targets=targets)
    return _share((predicted == labels)[labels != targets])


def diverged(clean: Rate, classes: int) -> bool:
    """Return whether clean accuracy is so near chance that ASR means nothing.

    True where accuracy < 1/K + 0.1 (1 - 1/K), that is, where less than a tenth of the way from
    chance to perfect is reached; also where there are no samples. The tenth is our choice. A model
    that always says one class would else look like a perfect attack; nothing is edited here, the
    caller leaves the success out.

    Args:
        clean: Clean accuracy.
        classes: Number of classes K.
    """
    if classes < 1:
        raise ConfigError(f"classes: expected 1 or more, got {classes}")
    chance = 1 / classes
    return not clean.value >= chance + 0.1 * (1 - chance)


def _share(hits: NDArray[np.bool_]) -> Rate:
    return Rate(int(hits.sum()), len(hits))
