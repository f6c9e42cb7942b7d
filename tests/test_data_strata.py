"""Stratified quotas, first come and splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.data.strata import first_come, quotas, split
from spikedoor.rng import generator


@pytest.mark.parametrize(
    ("counts", "total", "expected"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        # Shares 2.5, 1.5, 1.0: two equal remainders, one place left, the lower label gets it.
        ([5, 3, 2], 5, [3, 1, 1]),
        # Shares 0.7, 2.1, 4.2.
        ([1, 3, 6], 7, [1, 2, 4]),
        ([0, 4, 4], 3, [0, 2, 1]),
        ([2, 2], 4, [2, 2]),
        ([3, 0], 0, [0, 0]),
    ],
)
def test_quotas_by_hand(counts, total, expected):
    assert quotas(np.array(counts), total).tolist() == expected


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any), st.floats(0, 1))
def test_quotas_are_within_one_of_the_share(counts, share):
    total = int(share * sum(counts))
    given_out = quotas(np.array(counts), total)
    exact = np.array(counts) * total / sum(counts)
    assert given_out.sum() == total
    assert (given_out <= counts).all()
    assert (np.abs(given_out - exact) < 1).all()


def test_first_come_takes_the_first_of_each_class_in_file_order():
    labels = np.array([1, 0, 0, 1, 1, 0, 1, 0, 0, 0])  # six 0, four 1: of five, three and two
    assert first_come(labels, 5).tolist() == [0, 1, 2, 3, 5]
    assert first_come(labels, 10).tolist() == list(range(10))
    assert first_come(labels, 99).tolist() == list(range(10))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 80))
def test_first_come_against_a_plain_loop(labels, total):
    total = min(total, len(labels))
    left = quotas(np.bincount(labels), total).tolist()
    expected = []
    for index, label in enumerate(labels):
        if left[label] > 0:
            left[label] -= 1
            expected.append(index)
    assert first_come(np.array(labels), total).tolist() == expected


def test_split_is_a_stratified_partition():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    rest, out = split(labels, 20, generator(7, "test"))
    assert sorted([*rest, *out]) == list(range(100))
    assert np.bincount(labels[out]).tolist() == [10, 6, 4]
    assert (np.diff(rest) > 0).all()
    assert (np.diff(out) > 0).all()


def test_split_follows_its_generator():
    labels = np.repeat([0, 1], 50)
    outs = [split(labels, 20, generator(seed, "test"))[1].tolist() for seed in (1, 1, 2)]
    assert outs[0] == outs[1] != outs[2]
    assert outs[0] != first_come(labels, 20).tolist()
