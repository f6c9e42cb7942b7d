"""The plan: exact, unique and nested, by the rules for labels."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import CLASSES, balanced

from spikedoor.attack.draw import make_plan
from spikedoor.attack.labels import LABELS, AllToAll, AllToOne, LabelRule, SourceSpecific
from spikedoor.attack.plan import PoisonPlan, poison_count
from spikedoor.errors import ConfigError, DataError

labels_of_any_size = st.lists(st.integers(0, CLASSES - 1), max_size=60).map(
    lambda labels: np.array(labels, dtype=np.int64)
)
hundredths = st.integers(0, 100)
seeds = st.integers(0, 2**32)


@given(labels_of_any_size, hundredths, seeds, st.integers(0, CLASSES - 1))
def test_exact_count_of_unique_indices_in_range(labels, percent, seed, target):
    plan = make_plan(labels, percent / 100, AllToOne(label=target), CLASSES, seed)
    assert plan.count == percent * len(labels) // 100
    assert len(set(plan.indices.tolist())) == plan.count
    assert plan.indices.tolist() == sorted(plan.indices.tolist())
    assert all(0 <= index < len(labels) for index in plan.indices)
    assert plan.targets.tolist() == [target] * plan.count
    assert plan.total == len(labels)


@given(labels_of_any_size, st.integers(0, 30), st.integers(0, 30), seeds)
def test_cover_is_exact_unique_disjoint_and_nested(labels, poison, cover, seed):
    labels = np.concatenate([labels, 1 + labels % (CLASSES - 1), 1 + labels % (CLASSES - 1)])
    full = make_plan(labels, poison / 100, AllToOne(), CLASSES, seed, cover=cover / 100)
    assert full.cover_count == len(full.cover) == cover * len(labels) // 100
    assert len({*full.cover.tolist(), *full.indices.tolist()}) == full.cover_count + full.count
    assert (np.diff(full.cover) > 0).all()
    assert (labels[full.cover] != 0).all()
    alone = make_plan(labels, poison / 100, AllToOne(), CLASSES, seed)
    assert full.indices.tolist() == alone.indices.tolist()
    less = make_plan(labels, poison / 100, AllToOne(), CLASSES, seed, cover=cover / 200)
    assert set(less.cover.tolist()) <= set(full.cover.tolist())


def test_cover_beyond_what_the_poison_leaves_is_refused():
    # 80 of 100 samples may be cover; the poison takes all of them.
    with pytest.raises(ConfigError, match=r"cover 0\.01 asks for 1 of 100 samples, but only 0 are"):
        make_plan(balanced(), 0.8, AllToOne(), CLASSES, 0, candidates="non-target", cover=0.01)


def test_clean_label_poison_is_of_the_target_class_and_keeps_its_label():
    labels = balanced()
    plan = make_plan(labels, 0.15, AllToOne(label=2), CLASSES, seed=1, candidates="target")
    assert plan.count == 15
    assert (labels[plan.indices] == 2).all()
    assert (plan.relabel(labels) == labels).all()
    assert plan.class_rate(labels) == {2: 0.75}
    whole = make_plan(labels, 0.2, AllToOne(label=2), CLASSES, seed=1, candidates="target")
    assert set(plan.indices.tolist()) < set(whole.indices.tolist())


@pytest.mark.parametrize(
    ("rule", "rate", "found", "most"),
    [(AllToOne(), 0.21, 20, "0.2"), (AllToAll(), 0.01, 0, "0"), (SourceSpecific(), 0.3, 20, "0.2")],
)
def test_clean_label_with_too_few_of_the_class_says_what_is_possible(rule, rate, found, most):
    message = rf"only {found} are candidates \(target\); rate can be {most} at most"
    with pytest.raises(ConfigError, match=message):
        make_plan(balanced(), rate, rule, CLASSES, 0, candidates="target")


@given(labels_of_any_size, hundredths, hundredths, seeds, st.sampled_from(["all", "non-target"]))
def test_a_smaller_rate_is_a_subset_of_a_larger(labels, one, other, seed, candidates):
    if candidates == "non-target":
        candidate_share = (labels != 0).mean() if len(labels) else 1
        one, other = int(one * candidate_share), int(other * candidate_share)
    small, large = (
        make_plan(labels, percent / 100, AllToOne(), CLASSES, seed, candidates)
        for percent in sorted((one, other))
    )
    assert set(small.indices.tolist()) <= set(large.indices.tolist())


@given(labels_of_any_size, hundredths, seeds)
def test_survives_its_own_json(labels, percent, seed):
    plan = make_plan(labels, percent / 100, AllToOne(label=2), CLASSES, seed)
    text = json.dumps(plan.to_json())
    again = PoisonPlan.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert again.indices.dtype == again.targets.dtype == np.int64


@pytest.mark.parametrize(
    ("rate", "total", "count"),
    [(0.29, 100, 29), (0.57, 100, 57), (0.07, 100, 7), (0.1, 9, 0), (0.999, 10, 9), (1.0, 7, 7)],
)
def test_count_is_the_floor_of_the_decimal_product(rate, total, count):
    assert poison_count(rate, total) == count


def test_depends_on_the_seed_and_on_nothing_global():
    np.random.seed(1)  # noqa: NPY002
    one = make_plan(balanced(), 0.3, AllToOne(), CLASSES, seed=4)
    np.random.seed(2)  # noqa: NPY002
    same = make_plan(balanced(), 0.3, AllToOne(), CLASSES, seed=4)
    other = make_plan(balanced(), 0.3, AllToOne(), CLASSES, seed=5)
    assert one.to_json() == same.to_json()
    assert one.indices.tolist() != other.indices.tolist()


def test_every_sample_is_drawn_about_equally_often():
    drawn = np.zeros(20)
    for seed in range(600):
        drawn[make_plan(balanced(20), 0.25, AllToOne(), CLASSES, seed).indices] += 1
    # Binomial(600, 1/4): mean 150, standard deviation 10.6; five of them, over 20 samples.
    assert abs(drawn - 150).max() < 53
    assert drawn.sum() == 600 * 5


def test_candidates_decide_whether_target_samples_are_drawn():
    labels = balanced()
    among_all = make_plan(labels, 0.8, AllToOne(label=1), CLASSES, seed=0)
    assert (labels[among_all.indices] == 1).any()
    others = make_plan(labels, 0.8, AllToOne(label=1), CLASSES, seed=0, candidates="non-target")
    assert others.indices.tolist() == np.flatnonzero(labels != 1).tolist()


def test_more_than_the_candidates_is_refused_with_both_numbers():
    with pytest.raises(ConfigError, match="asks for 81 of 100 samples, but only 80 are"):
        make_plan(balanced(), 0.81, AllToOne(), CLASSES, seed=0, candidates="non-target")


def test_rates_by_hand():
    labels = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
    plan = PoisonPlan(np.array([0, 2, 5]), np.array([0, 0, 0]), total=10, rate=0.3, seed=0)
    assert plan.set_rate == 0.3
    # Afterwards class 0 holds samples 0, 1, 2, 5: three of four are poison.
    assert plan.class_rate(labels) == {0: 0.75}
    assert plan.relabel(labels).tolist() == [0, 0, 0, 1, 1, 0, 2, 2, 2, 2]
    assert labels[2] == 1
    mixed = PoisonPlan(np.array([0, 2]), np.array([1, 2]), total=10, rate=0.2, seed=0)
    assert mixed.class_rate(labels) == {1: 1 / 3, 2: 1 / 6}
    with pytest.raises(DataError, match="for 10 samples, got labels"):
        plan.class_rate(labels[:9])


def test_rate_zero_and_empty_sets():
    plan = make_plan(balanced(), 0.0, AllToOne(), CLASSES, seed=0)
    assert (plan.count, plan.set_rate, plan.class_rate(balanced())) == (0, 0.0, {})
    empty = make_plan(np.array([], dtype=np.int64), 1.0, AllToOne(), CLASSES, seed=0)
    assert (empty.count, empty.set_rate) == (0, 0.0)


def test_arrays_are_locked_copies():
    indices = np.array([1, 2])
    plan = PoisonPlan(indices, np.array([0, 0]), total=4, rate=0.5, seed=0)
    indices[0] = 0
    assert plan.indices.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        plan.indices[0] = 0


@pytest.mark.parametrize(
    ("labels", "rate", "seed", "error", "message"),
    [
        (balanced(), 1.1, 0, ConfigError, "rate: expected a number from 0 to 1, got 1.1"),
        (balanced(), float("nan"), 0, ConfigError, "rate"),
        (balanced(), 0.1, -1, ConfigError, "seed: expected a whole number from 0 on, got -1"),
        (balanced(), 0.1, 0.5, ConfigError, "seed"),
        (balanced() * 1.0, 0.1, 0, DataError, r"integer labels \[N\], got float64 \[100\]"),
        (balanced()[None], 0.1, 0, DataError, r"got int64 \[1, 100\]"),
        (balanced() + 1, 0.1, 0, DataError, "reach from 1 to 5, not 0 to 4"),
        (balanced() - 1, 0.1, 0, DataError, "reach from -1 to 3"),
    ],
)
def test_wrong_arguments_are_named(labels, rate, seed, error, message):
    with pytest.raises(error, match=message):
        make_plan(labels, rate, AllToOne(), CLASSES, seed)


def test_unknown_candidates_get_a_hint():
    with pytest.raises(ConfigError, match="did you mean 'non-target'"):
        make_plan(balanced(), 0.1, AllToOne(), CLASSES, 0, candidates="nontarget")  # type: ignore[arg-type]


class TestLabelRules:
    @pytest.mark.parametrize("name", LABELS.names())
    def test_contract(self, name):
        rule = LABELS[name]()
        labels = balanced()
        before = labels.copy()
        wanted = rule.targets(labels, CLASSES)
        assert wanted.dtype == np.int64
        assert wanted.shape == labels.shape
        assert 0 <= wanted.min() <= wanted.max() < CLASSES
        assert (labels == before).all()
        assert LabelRule.from_dict(rule.to_dict()) == rule

    def test_all_to_one(self):
        assert AllToOne(label=3).targets(np.array([0, 3, 4]), CLASSES).tolist() == [3, 3, 3]

    def test_a_label_outside_the_classes(self):
        with pytest.raises(ConfigError, match="label 5 is not one of the 5 classes 0 to 4"):
            AllToOne(label=5).targets(balanced(), CLASSES)

    def test_all_to_all(self):
        assert AllToAll().targets(np.array([0, 3, 4]), CLASSES).tolist() == [1, 4, 0]

    def test_source_specific(self):
        rule = SourceSpecific(sources=(1, 3), label=0)
        labels = np.array([0, 1, 2, 3, 4])
        assert rule.targets(labels, CLASSES).tolist() == [0, 0, 2, 0, 4]
        assert rule.may_cover(labels, CLASSES).tolist() == [False, False, True, False, True]
        plan = make_plan(balanced(), 0.4, rule, CLASSES, 0, "non-target", cover=0.4)
        assert set(balanced()[plan.indices].tolist()) == {1, 3}
        assert set(balanced()[plan.cover].tolist()) == {2, 4}

    def test_source_specific_is_checked(self):
        with pytest.raises(ConfigError, match="label 1 is a source as well"):
            SourceSpecific(sources=(1, 2), label=1)
        with pytest.raises(ConfigError, match=r"sources: .*at least 1"):
            SourceSpecific(sources=())
        with pytest.raises(ConfigError, match="label 7 is not one of the 5 classes"):
            SourceSpecific(sources=(7,)).targets(balanced(), CLASSES)
