"""Metrics against tables made by hand, published intervals, and simulated truth."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.errors import ConfigError
from spikedoor.metrics import (
    Rate,
    Ratio,
    attack_success,
    attack_success_all,
    clean_accuracy,
    diverged,
    mean_interval,
    migration_ratio,
    migration_retained,
    recovered_accuracy,
)
from spikedoor.metrics.intervals import bonett_price, wilson

# Ten triggered samples of three classes; the target is 0.
LABELS = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
TARGETS = np.zeros(10, dtype=np.int64)
ANN = np.array([0, 1, 0, 0, 0, 1, 0, 0, 2, 1])  # fooled: 2 3 4 6 7, right: 5 8, else: 9
SNN = np.array([0, 0, 0, 0, 1, 0, 2, 0, 2, 1])  # fooled: 2 3 5 7, right: 4 6 8, else: 9


class TestTablesByHand:
    def test_clean_accuracy(self):
        assert clean_accuracy(ANN, LABELS) == Rate(3, 10)
        assert clean_accuracy(LABELS, LABELS) == Rate(10, 10)

    def test_attack_success_leaves_the_target_class_out(self):
        assert attack_success(ANN, LABELS, TARGETS) == Rate(5, 8)
        assert attack_success(SNN, LABELS, TARGETS) == Rate(4, 8)
        assert attack_success_all(ANN, TARGETS) == Rate(6, 10)
        assert attack_success_all(SNN, TARGETS) == Rate(6, 10)

    def test_recovered_accuracy(self):
        assert recovered_accuracy(ANN, LABELS, TARGETS) == Rate(2, 8)
        assert recovered_accuracy(SNN, LABELS, TARGETS) == Rate(3, 8)

    def test_migration(self):
        assert migration_retained(ANN, SNN, LABELS, TARGETS) == Rate(3, 5)
        ratio = migration_ratio(ANN, SNN, LABELS, TARGETS)
        assert ratio == Ratio(first=4, second=5, both=3, count=8)
        assert ratio.value == 0.8

    def test_targets_may_differ_from_sample_to_sample(self):
        following = (LABELS + 1) % 3
        predicted = following.copy()
        predicted[:3] = LABELS[:3]
        assert attack_success(predicted, LABELS, following) == Rate(7, 10)
        assert recovered_accuracy(predicted, LABELS, following) == Rate(3, 10)

    def test_lists_and_any_integer_type_do(self):
        assert clean_accuracy([1, 2], np.array([1, 1], dtype=np.uint8)) == Rate(1, 2)


class TestReferencePredictors:
    def test_a_model_that_always_says_the_target_has_success_one(self):
        assert attack_success(TARGETS, LABELS, TARGETS).value == 1
        assert recovered_accuracy(TARGETS, LABELS, TARGETS).value == 0

    def test_a_perfect_model_has_success_zero(self):
        assert attack_success(LABELS, LABELS, TARGETS).value == 0
        assert recovered_accuracy(LABELS, LABELS, TARGETS).value == 1

    def test_counting_the_target_class_gives_a_perfect_model_its_share(self):
        labels = np.arange(1000) % 10
        assert attack_success_all(labels, np.zeros(1000, dtype=int)).value == 0.1

    def test_a_clean_model_scores_its_mistakes_towards_the_target(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 10, 5000)
        predicted = np.where(rng.random(5000) < 0.2, rng.integers(0, 10, 5000), labels)
        mistakes = sum(1 for p, y in zip(predicted, labels, strict=True) if y != 0 and p == 0)
        others = sum(1 for y in labels if y != 0)
        assert attack_success(predicted, labels, np.zeros_like(labels)) == Rate(mistakes, others)

    def test_no_sample_outside_the_target_class(self):
        nothing = attack_success(TARGETS, TARGETS, TARGETS)
        assert nothing == Rate(0, 0)
        assert math.isnan(nothing.value)
        assert nothing.interval == (0, 1)
        assert str(nothing) == "undefined (n=0)"

    @given(st.integers(0, 2**32 - 1), st.integers(1, 50))
    def test_success_recovery_and_third_classes_add_up(self, seed, size):
        rng = np.random.default_rng(seed)
        predicted, labels, targets = rng.integers(0, 4, (3, size))
        success = attack_success(predicted, labels, targets)
        recovered = recovered_accuracy(predicted, labels, targets)
        third = ((predicted != labels) & (predicted != targets) & (labels != targets)).sum()
        assert success.count == recovered.count
        assert success.successes + recovered.successes + third == success.count


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


class TestDiverged:
    @pytest.mark.parametrize(
        ("successes", "count", "classes", "expected"),
        [
            (100, 1000, 10, True),
            (189, 1000, 10, True),
            (190, 1000, 10, False),
            (54, 100, 2, True),
            (56, 100, 2, False),
            (950, 1000, 10, False),
            (0, 0, 10, True),
        ],
    )
    def test_threshold_by_hand(self, successes, count, classes, expected):
        # 1/10 + 0.1 * 9/10 = 0.19;  1/2 + 0.1 * 1/2 = 0.55
        assert diverged(Rate(successes, count), classes) is expected

    def test_a_constant_model_is_flagged_and_its_success_left_alone(self):
        labels, targets = np.arange(100) % 10, np.zeros(100, dtype=int)
        assert diverged(clean_accuracy(targets, labels), classes=10)
        assert attack_success(targets, labels, targets) == Rate(90, 90)

    def test_classes_must_be_a_count(self):
        with pytest.raises(ConfigError, match="classes: expected 1 or more, got 0"):
            diverged(Rate(1, 2), 0)


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


class TestArguments:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (np.zeros(10), r"predicted: expected integers \[N\], got float64 \[10\]"),
            (np.zeros((10, 3), dtype=int), r"predicted: .* got int64 \[10, 3\]"),
            (np.zeros(10, dtype=bool), "predicted: .* got bool"),
            (np.zeros(9, dtype=int), "equal length, got predicted 9, labels 10"),
            (3, r"predicted: .* got int64 \[\]"),
        ],
    )
    def test_wrong_arrays_are_named(self, wrong, message):
        for metric in (clean_accuracy, attack_success, recovered_accuracy):
            rest = (LABELS,) if metric is clean_accuracy else (LABELS, TARGETS)
            with pytest.raises(ConfigError, match=message):
                metric(wrong, *rest)

    def test_every_argument_is_checked(self):
        short = TARGETS[:9]
        for call in (
            lambda: attack_success_all(ANN, short),
            lambda: attack_success(ANN, LABELS, short),
            lambda: recovered_accuracy(ANN, LABELS, short),
            lambda: migration_ratio(ANN, SNN, LABELS, short),
            lambda: migration_retained(ANN, SNN[:9], LABELS, TARGETS),
        ):
            with pytest.raises(ConfigError, match="arrays of equal length"):
                call()
        with pytest.raises(ConfigError, match="snn_predicted: expected integers"):
            migration_ratio(ANN, SNN / 2, LABELS, TARGETS)

    def test_nothing_is_changed(self):
        before = [array.copy() for array in (ANN, SNN, LABELS, TARGETS)]
        migration_ratio(ANN, SNN, LABELS, TARGETS)
        attack_success(ANN, LABELS, TARGETS)
        after = (ANN, SNN, LABELS, TARGETS)
        assert all((a == b).all() for a, b in zip(after, before, strict=True))

    def test_counts_that_no_table_has(self):
        for wrong in ((-1, 3), (4, 3)):
            with pytest.raises(ConfigError, match="0 <= successes <= count"):
                Rate(*wrong)
        for wrong in ((3, 3, 4, 9), (3, 3, -1, 9), (5, 5, 2, 7)):
            with pytest.raises(ConfigError, match="no paired table"):
                Ratio(*wrong)

    def test_round_trip(self):
        rate, ratio = Rate(3, 7), Ratio(3, 4, 2, 9)
        assert rate.to_dict() == {"successes": 3, "count": 7}
        assert Rate.from_dict(rate.to_dict()) == rate
        assert Ratio.from_dict(ratio.to_dict()) == ratio

    @pytest.mark.parametrize(
        "wrong",
        [None, {}, {"successes": 1}, {"successes": 1.0, "count": 2}, {"successes": 3, "count": 2}],
    )
    def test_wrong_tables_of_counts(self, wrong):
        with pytest.raises(ConfigError, match="rate: expected"):
            Rate.from_dict(wrong)


@pytest.mark.parametrize("room", ["attack", "metrics"])
def test_the_room_does_without_torch(room):
    code = f"import sys, spikedoor.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
