"""One number from several runs that differ in their seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from spikedoor.errors import ConfigError

__all__ = ["Mean", "mean_interval"]


@dataclass(frozen=True)
class Mean:
    """A mean over runs and its 95 % interval, which is (nan, nan) for a single run."""

    value: float
    interval: tuple[float, float]
    count: int

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.value:.4g} (n=1)"
        low, high = self.interval
        return f"{self.value:.4g} [{low:.4g}, {high:.4g}] (n={self.count})"


def mean_interval(values: Iterable[float]) -> Mean:
    """Return the mean over runs with Student's 95 % interval.

    mean -+ t s / sqrt(n), with s the standard deviation over n - 1 and t the 97.5 % point of
    Student's distribution with n - 1 degrees of freedom. It speaks of the spread between runs;
    the interval of a `Rate` speaks of the test samples of one run. The limits of a share may pass
    0 or 1.

    Raises:
        ConfigError: If there is no value, or one that is not a finite number.
    """
    numbers = [float(value) for value in values]
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"mean over runs: expected one or more finite numbers, got {numbers}")
    mean = statistics.fmean(numbers)
    if len(numbers) == 1:
        return Mean(mean, (math.nan, math.nan), 1)
    from scipy.special import stdtrit

    runs = len(numbers)
    reach = float(stdtrit(runs - 1, 0.975)) * statistics.stdev(numbers) / math.sqrt(runs)
    return Mean(mean, (mean - reach, mean + reach), runs)
