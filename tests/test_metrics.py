"""Metrics against tables made by hand and models of known answers."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_cases import ANN, LABELS, SNN, TARGETS

from spikedoor.errors import ConfigError
from spikedoor.metrics import (
    Rate,
    Ratio,
    attack_success,
    attack_success_all,
    clean_accuracy,
    diverged,
    migration_ratio,
    migration_retained,
    recovered_accuracy,
)


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
