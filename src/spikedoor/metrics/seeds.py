"""One number from several runs that differ in their seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from spikedoor.errors import ConfigError

__all__ = ["EVERYWHERE", "Mean", "mean_interval"]

EVERYWHERE = (-math.inf, math.inf)


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


def mean_interval(values: Iterable[float], within: tuple[float, float] = EVERYWHERE) -> Mean:
    """Return the mean over runs with Student's 95 % interval, cut at the ends of what can be.

    mean -+ t s / sqrt(n), with s the standard deviation over n - 1 and t the 97.5 % point of
    Student's distribution with n - 1 degrees of freedom. It speaks of the spread between runs;
    the interval of a `Rate` speaks of the test samples of one run. The true mean of a share lies
    in [0, 1], so what an interval has beyond cannot hold it: the part within holds it just as
    often. (The truncated interval of Mandelkern; near an end it may be short, or of no length.)

    Args:
        values: One of each run.
        within: Least and largest value that there can be; of a share (0, 1), by default anything.

    Raises:
        ConfigError: If there is no value, or one that is not a finite number within the ends.

    References:
        Mandelkern 2002, Setting confidence intervals for bounded parameters, Statistical Science
        17:149, https://doi.org/10.1214/ss/1030550859
    """
    numbers, (least, largest) = [float(value) for value in values], within
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"mean over runs: expected one or more finite numbers, got {numbers}")
    if not least <= min(numbers) <= max(numbers) <= largest:
        told = f"expected numbers from {least:g} to {largest:g}"
        raise ConfigError(f"mean over runs: {told}, got {numbers}")
    mean = statistics.fmean(numbers)
    if len(numbers) == 1:
        return Mean(mean, (math.nan, math.nan), 1)
    from scipy.special import stdtrit

    runs = len(numbers)
    reach = float(stdtrit(runs - 1, 0.975)) * statistics.stdev(numbers) / math.sqrt(runs)
    return Mean(mean, (max(mean - reach, least), min(mean + reach, largest)), runs)
