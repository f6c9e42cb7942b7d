"""Intervals against published ones, another implementation, and simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_cases import ANN, LABELS, SNN, TARGETS

from spikedoor.errors import ConfigError
from spikedoor.metrics import Rate, Ratio, mean_interval, migration_ratio, migration_retained
from spikedoor.metrics.intervals import bonett_price, wilson


class TestWilson:
    # Made with scipy 1.17: binomtest(successes, count).proportion_ci(method="wilson").
    @pytest.mark.parametrize(
        ("successes", "count", "low", "high"),
        [
            (81, 263, 0.2552885, 0.3662096),
            (15, 148, 0.0623864, 0.1604872),
            (0, 20, 0.0000000, 0.1611252),
            (1, 29, 0.0061132, 0.1717552),
            (29, 29, 0.8830302, 1.0000000),
            (9870, 10000, 0.9845854, 0.9890406),
        ],
    )
    def test_another_implementation_agrees(self, successes, count, low, high):
        assert Rate(successes, count).interval == pytest.approx((low, high), abs=5.1e-8)

    @given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_limits_solve_the_score_equation(self, table):
        successes, count = table
        low, high = wilson(successes, count)
        p = successes / count
        assert 0 <= low <= p <= high <= 1
        for limit in (low, high):
            # (p - limit)^2 = z^2 limit (1 - limit) / n
            score = 1.959963984540054**2 * limit * (1 - limit) / count
            assert (p - limit) ** 2 == pytest.approx(score, rel=1e-6, abs=1e-15)
        mirrored = wilson(count - successes, count)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)

    @pytest.mark.parametrize(("p", "count"), [(0.5, 100), (0.9, 200), (0.99, 1000), (0.1, 880)])
    def test_covers_the_simulated_truth(self, p, count):
        drawn = np.random.default_rng(0).binomial(count, p, size=20_000)
        found, times = np.unique(drawn, return_counts=True)
        covered = sum(
            int(n)
            for s, n in zip(found, times, strict=True)
            if wilson(int(s), count)[0] <= p <= wilson(int(s), count)[1]
        )
        assert 0.93 < covered / 20_000 < 0.975

    def test_shown_in_percent_with_its_count(self):
        assert str(Rate(9870, 10000)) == "98.7 % [98.5, 98.9] (n=10000)"
        assert str(Rate(0, 8)) == "0.0 % [0.0, 32.4] (n=8)"


class TestBonettPrice:
    def test_published_interval(self):
        # Example of ci.ratio.prop.ps(.05, 12, 4, 26, 6) in the manual of Bonett's R package
        # statpsych: estimate 3.2, limits 1.766544 and 5.796628.
        ratio = Ratio(first=32, second=10, both=6, count=48)
        assert ratio.value == 3.2
        assert ratio.interval == pytest.approx((1.766544, 5.796628), abs=5e-7)

    def test_samples_that_fool_neither_do_not_matter(self):
        one, other = (Ratio(32, 10, 6, count).interval for count in (36, 10_000))
        assert one == other

    @given(st.tuples(*[st.integers(0, 2000)] * 3).filter(lambda t: t[0] + t[1] > 0))
    def test_holds_the_estimate_and_turns_with_the_table(self, table):
        both, only_first, only_second = table
        first, second = both + only_first, both + only_second
        low, high = bonett_price(first, second, both)
        assert 0 <= low <= high
        if first and second:
            assert low <= first / second <= high
            turned = bonett_price(second, first, both)
            assert turned == pytest.approx((1 / high, 1 / low), rel=1e-9)

    # both, SNN only, ANN only
    @pytest.mark.parametrize(
        ("count", "shares"),
        [
            (100, (0.4, 0.1, 0.2)),
            (300, (0.1, 0.05, 0.3)),
            (50, (0.2, 0.2, 0.1)),
            (200, (0.9, 0.02, 0.02)),
            (1000, (0.95, 0.01, 0.02)),
            (9000, (0.99, 0.001, 0.003)),
            (9000, (0.98, 0.0, 0.002)),
            (9000, (0.98, 0.0002, 0.0002)),
        ],
    )
    def test_covers_the_simulated_truth(self, count, shares):
        both, first_only, second_only = shares
        truth = (both + first_only) / (both + second_only)
        draws = np.random.default_rng(0).multinomial(count, [*shares, 1 - sum(shares)], 20_000)
        tables, times = np.unique(draws[:, :3], axis=0, return_counts=True)
        covered = 0
        for (b, f, s), n in zip(tables.tolist(), times.tolist(), strict=True):
            low, high = bonett_price(b + f, b + s, b)
            covered += n * (low <= truth <= high)
        assert 0.93 <= covered / 20_000 <= 0.99

    def test_full_migration_is_not_certain(self):
        low, high = Ratio(first=100, second=100, both=100, count=120).interval
        assert low < 1 < high
        assert low == pytest.approx(1 / high)

    def test_an_ann_that_is_never_fooled_leaves_it_undefined(self):
        ratio = migration_ratio(LABELS, SNN, LABELS, TARGETS)
        assert ratio == Ratio(first=4, second=0, both=0, count=8)
        assert math.isnan(ratio.value)
        assert ratio.interval[1] == math.inf
        assert str(ratio) == "undefined (4/0, n=8)"
        assert Ratio(0, 0, 0, 8).interval == (0, math.inf)
        assert math.isnan(migration_retained(LABELS, SNN, LABELS, TARGETS).value)

    def test_it_may_exceed_one(self):
        ratio = migration_ratio(SNN, ANN, LABELS, TARGETS)
        assert ratio.value == 1.25
        assert str(Ratio(992, 1000, 990, 9000)) == "99.2 % [98.5, 99.9] (992/1000, n=9000)"


class TestMeanOverSeeds:
    def test_by_hand(self):
        # s = 0.01, t(2 degrees of freedom, 97.5 %) = 4.302653 (any table); 4.302653 * 0.01 / sqrt 3
        mean = mean_interval([0.93, 0.94, 0.95])
        assert mean.value == pytest.approx(0.94)
        assert mean.interval == pytest.approx((0.94 - 0.0248414, 0.94 + 0.0248414), abs=1e-7)
        assert str(mean) == "0.94 [0.9152, 0.9648] (n=3)"

    @pytest.mark.parametrize(("runs", "t"), [(2, 12.70620), (5, 2.776445), (31, 2.042272)])
    def test_points_of_the_t_table(self, runs, t):
        values = [0.0, 1.0] * (runs // 2) + [0.5] * (runs % 2)
        mean = mean_interval(values)
        spread = math.sqrt(sum((v - 0.5) ** 2 for v in values) / (runs - 1))
        assert mean.interval[1] - 0.5 == pytest.approx(t * spread / math.sqrt(runs), rel=1e-6)

    def test_one_run_has_no_interval(self):
        mean = mean_interval(iter([0.5]))
        assert (mean.value, mean.count) == (0.5, 1)
        assert all(map(math.isnan, mean.interval))
        assert str(mean) == "0.5 (n=1)"

    @pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
    def test_what_has_no_mean(self, values):
        with pytest.raises(ConfigError, match="one or more finite numbers"):
            mean_interval(values)

    def test_a_share_ends_where_shares_end(self):
        mean = mean_interval([0.95, 0.97, 0.99], (0, 1))
        assert mean.interval == (pytest.approx(0.97 - 4.302653 * 0.02 / math.sqrt(3)), 1)
        mean = mean_interval([0.0, 0.02], (0, 1))
        assert mean.interval == (0, pytest.approx(0.01 + 12.7062 / 100))
        assert mean_interval([0.9, 1.1], (0, math.inf)).interval == (0, pytest.approx(1 + 1.27062))
        with pytest.raises(ConfigError, match="from 0 to 1"):
            mean_interval([0.5, 1.5], (0, 1))

    def test_a_cut_holds_a_true_share_just_as_often(self):
        draw = np.random.default_rng(0)
        for truth in (0.001, 0.5, 0.998):
            for row in draw.binomial(500, truth, size=(300, 3)) / 500:
                (low, high), (least, most) = (
                    mean_interval(row, *more).interval for more in ((), ((0, 1),))
                )
                assert (low <= truth <= high) == (least <= truth <= most)
                assert 0 <= least <= most <= 1

    def test_covers_the_simulated_truth(self):
        runs = np.random.default_rng(0).normal(0.9, 0.02, size=(4000, 3))
        means = [mean_interval(row) for row in runs.tolist()]
        covered = np.mean([m.interval[0] <= 0.9 <= m.interval[1] for m in means])
        assert 0.94 < covered < 0.96
