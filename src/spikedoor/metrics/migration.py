"""How much of a backdoor survives the step from an ANN to an SNN, in two forms.

The paper that names a migration rate (arXiv 2409.15670) does not give its formula in what is
public, so neither form may be called the paper's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import ArrayLike

from spikedoor.errors import ConfigError
from spikedoor.metrics.checks import counts, integers
from spikedoor.metrics.intervals import bonett_price
from spikedoor.metrics.rates import Rate

__all__ = ["Ratio", "migration_ratio", "migration_retained"]


@dataclass(frozen=True)
class Ratio:
    """A ratio of two shares of the same samples: (first / count) / (second / count).

    Args:
        first: Successes of the one, above the line.
        second: Successes of the other, below the line.
        both: Samples that are a success of both.
        count: All samples.

    Raises:
        ConfigError: If no table of samples has these counts.
    """

    first: int
    second: int
    both: int
    count: int

    def __post_init__(self) -> None:
        either = self.first + self.second - self.both
        if not 0 <= self.both <= min(self.first, self.second) or either > self.count:
            raise ConfigError(
                f"ratio: no paired table has {self.first} and {self.second} successes, "
                f"{self.both} in common, in {self.count} samples"
            )

    @property
    def value(self) -> float:
        """The ratio, which may exceed 1; nan where ``second`` is 0."""
        return self.first / self.second if self.second else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, see `bonett_price`; the upper limit is inf where ``second`` is 0."""
        return bonett_price(self.first, self.second, self.both)

    def __str__(self) -> str:
        of = f"({self.first}/{self.second}, n={self.count})"
        if not self.second:
            return f"undefined {of}"
        low, high = self.interval
        return f"{100 * self.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] {of}"

    def to_dict(self) -> dict[str, int]:
        """Return the four counts; `from_dict` reads them back."""
        return {
            "first": self.first,
            "second": self.second,
            "both": self.both,
            "count": self.count,
        }

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Make a ratio from its four counts."""
        return cls(**counts("ratio", value, ("first", "second", "both", "count")))


def migration_retained(
    ann_predicted: ArrayLike, snn_predicted: ArrayLike, labels: ArrayLike, targets: ArrayLike
) -> Rate:
    """Return the share of samples fooling the ANN that still fool the SNN.

    Only triggered samples whose true label is not their target count. Undefined (0 of 0) where no
    sample fools the ANN.

    Shapes:
        ann_predicted, snn_predicted, labels (the true ones), targets: integers [N].
    """
    table = migration_ratio(ann_predicted, snn_predicted, labels, targets)
    return Rate(table.both, table.second)


def migration_ratio(
    ann_predicted: ArrayLike, snn_predicted: ArrayLike, labels: ArrayLike, targets: ArrayLike
) -> Ratio:
    """Return ASR of the SNN / ASR of the ANN, both on the same samples.

    Only triggered samples whose true label is not their target count. It exceeds 1 where the SNN
    is fooled more often, and is undefined where the ANN is never fooled.

    Shapes:
        ann_predicted, snn_predicted, labels (the true ones), targets: integers [N].
    """
    ann, snn, labels, targets = integers(
        ann_predicted=ann_predicted, snn_predicted=snn_predicted, labels=labels, targets=targets
    )
    attacked = labels != targets
    by_ann, by_snn = (ann == targets) & attacked, (snn == targets) & attacked
    return Ratio(
        first=int(by_snn.sum()),
        second=int(by_ann.sum()),
        both=int((by_ann & by_snn).sum()),
        count=int(attacked.sum()),
    )
