"""95 % confidence intervals, from counts."""

from __future__ import annotations

import math

__all__ = ["Z95", "bonett_price", "wilson"]

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def wilson(successes: int, count: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    (p + z^2/2n -+ z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n), with p = successes / n. Without
    samples nothing is known: (0, 1).

    References:
        Wilson 1927, Probable inference, the law of succession, and statistical inference, Journal
        of the American Statistical Association 22:209,
        https://doi.org/10.1080/01621459.1927.10502953
    """
    if not count:
        return 0.0, 1.0
    p, z2 = successes / count, z * z
    centre = p + z2 / (2 * count)
    reach = z * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    # At the ends the exact limits are 0 and 1; rounding must not move them.
    low = max((centre - reach) / scale, 0.0) if successes else 0.0
    high = min((centre + reach) / scale, 1.0) if successes < count else 1.0
    return low, high


def bonett_price(first: int, second: int, both: int) -> tuple[float, float]:
    """Return the hybrid Wilson interval of a ratio of paired proportions.

    The ratio is first / second, two counts of successes on the same samples. With
    m = first + second - both, the samples with any success, and

    * a = sqrt((first + second - 2 both + 2) / ((first + 1)(second + 1))),
    * b(f) = sqrt((1 - (f + 1)/(m + 2)) / (f + 1)),
    * z' = z a / (b(first) + b(second)),

    the limits are low(first) / high(second) and high(first) / low(second), taken from Wilson
    intervals of first / m and second / m with z' in place of z. Without any success nothing is
    known: (0, inf).

    References:
        Bonett, Price 2006, Confidence intervals for a ratio of binomial proportions based on
        paired data, Statistics in Medicine 25:3039, https://doi.org/10.1002/sim.2440
    """
    either = first + second - both
    if not either:
        return 0.0, math.inf

    def spread(successes: int) -> float:
        return math.sqrt((1 - (successes + 1) / (either + 2)) / (successes + 1))

    discordant = first + second - 2 * both
    paired = math.sqrt((discordant + 2) / ((first + 1) * (second + 1)))
    z = Z95 * paired / (spread(first) + spread(second))
    low_first, high_first = wilson(first, either, z)
    low_second, high_second = wilson(second, either, z)
    return low_first / high_second, high_first / low_second if low_second else math.inf
