"""The anomaly index against numbers by hand, and its null against another simulation."""

import numpy as np
import pytest

from spikedoor.defences.detect.outliers import anomaly, critical


def test_the_median_of_even_numbers_is_the_mean_of_the_two_in_the_middle():
    # median (2 + 4) / 2 = 3, deviations 3, 1, 1, 7: MAD (1 + 3) / 2 = 2.
    assert anomaly([0, 2, 4, 10]) == pytest.approx(np.array([-3, -1, 1, 7]) / (1.4826 * 2))


def test_equal_values_do_not_stand_out_and_another_does_without_bound():
    assert (anomaly([5.0] * 10) == 0).all()
    found = anomaly([5.0] * 9 + [6.0])
    assert np.isfinite(found).all()
    assert (found[:9] == 0).all()
    assert found[9] > 1e6


def test_the_critical_index_is_exceeded_as_often_as_stated():
    drawn = np.random.default_rng(1).normal(3.0, 7.0, (4000, 10))
    middle = np.median(drawn, 1)
    mad = np.median(np.abs(drawn - middle[:, None]), 1)
    exceeded = (drawn.max(1) - middle) / (1.4826 * mad) > critical(10, 0.05)
    assert exceeded.mean() == pytest.approx(0.05, abs=0.015)
