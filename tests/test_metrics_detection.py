"""Scores of detectors and repairs, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from spikedoor.errors import ConfigError
from spikedoor.metrics import (
    Auroc,
    Rate,
    auroc,
    defence_effectiveness,
    found_and_false,
    rate_at,
)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_scikit_learn_ties_and_all(seed):
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 8, 200) / 8, rng.random(200) < 0.3
    assert auroc(scores, positive).value == pytest.approx(roc_auc_score(positive, scores))


def test_an_area_by_hand():
    found = auroc([3.0, 1.0, 2.0, 1.0], np.array([True, True, False, False]))
    assert found == Auroc(5, 2, 2)  # of four pairs, 2 won, 1 lost, 1 tied
    assert found.value == 5 / 8
    # Hanley and McNeil, with A = 5/8, Q1 = A/(2-A) = 5/11 and Q2 = 2A^2/(1+A) = 25/52.
    variance = (15 / 64 + (5 / 11 - 25 / 64) + (25 / 52 - 25 / 64)) / 4
    low, high = found.interval
    assert high == 1.0
    assert low == pytest.approx(max(0, 5 / 8 - 1.959963984540054 * variance**0.5))
    assert Auroc.from_dict(found.to_dict()) == found


def test_an_area_needs_both_kinds():
    assert np.isnan(auroc([1.0, 2.0], np.array([True, True])).value)
    assert str(auroc([1.0], np.array([False]))) == "undefined (n=0+1)"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.2])
def test_the_rate_at_a_false_positive_rate_is_the_roc_curves(share):
    rng = np.random.default_rng(7)
    positive = rng.random(500) < 0.4
    scores = rng.normal(size=500) + positive
    false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert rate_at(scores, positive, share).value == pytest.approx(true[false <= share].max())


def test_tied_negatives_are_flagged_together_or_not_at_all():
    scores, positive = [1, 1, 1, 0, 1], np.array([False, False, False, False, True])
    assert rate_at(scores, positive, 0.5) == Rate(0, 1)
    assert rate_at(scores, positive, 1.0) == Rate(1, 1)


def test_f5_nothing_flagged_means_nothing_found():
    positive = np.array([True] * 3 + [False] * 7)
    found, false = found_and_false(np.zeros(10, np.bool_), positive)
    assert (found, false) == (Rate(0, 3), Rate(0, 7))


@pytest.mark.parametrize(
    ("before", "after", "rating"),
    [
        ((0.9, 1.0), (0.9, 0.0), 1.0),  # all of it gone, at no cost
        ((0.9, 1.0), (0.9, 1.0), 0.5),  # nothing happened
        ((0.9, 1.0), (0.4, 1.0), 0.25),  # half of the accuracy lost for nothing
        ((0.9, 0.8), (0.8, 0.2), 0.75),
        ((0.8, 0.5), (0.9, 0.7), 0.5),  # gains in accuracy and losses by ASR do not count
    ],
)
def test_f9_effectiveness_takes_the_lost_accuracy_off(before, after, rating):
    assert defence_effectiveness(*before, *after) == pytest.approx(rating)


@pytest.mark.parametrize(
    ("scores", "positive", "told"),
    [
        ([0.1, 0.2], np.array([True]), "a truth for each"),
        ([0.1], np.array([1]), "int64"),
        ([np.nan], np.array([True]), "finite"),
    ],
)
def test_what_is_no_score_is_refused(scores, positive, told):
    with pytest.raises(ConfigError, match=told):
        auroc(scores, positive)
