"""The separation of two components, against closed forms and planted mixtures."""

import numpy as np
import pytest

from spikedoor.defences import Defender
from spikedoor.defences.detect import Separation
from spikedoor.defences.detect.separation import ashman, furthest
from spikedoor.testing.cases import planted


def test_the_separation_of_two_pairs_by_hand():
    values = np.array([[0.0, 5.0], [2.0, 5.0], [10.0, 5.0], [12.0, 5.0]])
    second = np.array([False, False, True, True])
    assert ashman(values, second) == pytest.approx(10.0)  # means 1 and 11, deviations of 1
    assert ashman(3 * values, second) == pytest.approx(10.0)
    assert ashman(values, np.zeros(4, bool)) == 0
    assert ashman(np.ones((4, 2)), second) == 0


def test_a_normal_law_in_two_halves_has_the_separation_of_the_half_normal_law():
    values = np.random.default_rng(0).standard_normal((200_000, 1))
    mean = np.sqrt(2 / np.pi)
    wanted = 2 * mean / np.sqrt(1 - mean**2)
    assert ashman(values, values[:, 0] > 0) == pytest.approx(wanted, rel=0.01)


def test_the_rare_component_is_found_and_outliers_are_none():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((300, 8))
    values[:30, 0] += 12
    apart, second = furthest(values, 0.05, 0)
    assert np.flatnonzero(second).tolist() == list(range(30))
    assert apart == pytest.approx(12, rel=0.1)
    values = rng.standard_normal((300, 8))
    values[:3, 0] += 60
    assert furthest(values, 0.05, 0)[0] < 4


def test_poison_is_found_by_the_training_set_alone():
    case = planted("conversion", "patch", 0.05)
    own = case.train
    told = Separation().detect(case.stage, Defender(own, own, own))
    assert max(told.details["separation"], key=told.details["separation"].__getitem__) == "0"
    assert own.poisoned[told.scores == told.scores.max()].mean() > 0.95
    assert told.scores[own.poisoned].mean() > 4 * told.scores[~own.poisoned].mean()
