"""Beatrix: Gram matrices with their powers, bounds by hand, planted poison."""

import numpy as np
import pytest
from defence_cases import case

from spikedoor.defences import Defender
from spikedoor.defences.detect import Beatrix
from spikedoor.defences.detect.beatrix import Bounds, gram
from spikedoor.errors import ConfigError
from spikedoor.metrics import auroc


def test_f4_higher_orders_have_their_power_and_not_the_root_alone():
    values = np.random.default_rng(0).random((3, 4, 5)) + 0.1
    found = gram(values, 3)
    upper = np.triu_indices(4)
    for p in (1, 2, 3):
        by_hand = np.einsum("ncm,ndm->ncd", values**p, values**p)[:, upper[0], upper[1]]
        assert np.allclose(found[:, p - 1], by_hand ** (1 / p))
    assert not np.allclose(found[:, 1], np.sqrt(found[:, 0]))


def test_signs_are_kept():
    values = np.array([[[1.0], [-2.0]]])
    assert gram(values, 2)[0].tolist() == [[1, -2, 4], [1, -2, 4]]


def test_deviations_by_hand():
    bounds = Bounds(np.array([[1.0, 2.0, 4.0]]), np.array([[2.0, 4.0, 8.0]]))
    # G of (1, 3) is 1, 3, 9: only the last is out, by 1 of 8, one of three elements.
    assert bounds.deviations(np.array([[[1.0], [3.0]]]), 1) == pytest.approx([1 / 24])


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_planted_poison_is_found_at_about_the_stated_share_of_false_alarms(rule):
    found = case(rule, "patch", 0.05)
    told = Beatrix().detect(found.stage, found.defender())
    assert auroc(told.scores, found.train.poisoned).value > 0.95
    assert told.flagged[found.train.poisoned].mean() > 0.8
    clean = case(rule, rate=0.0)
    assert Beatrix().detect(clean.stage, clean.defender()).flagged.mean() < 0.12


def test_correlations_of_steps_are_looked_at_where_asked():
    found = case("direct", "patch", 0.05)
    told = Beatrix(gram="time").detect(found.stage, found.defender())
    assert told.scores.shape == (1437,)
    ann = case("conversion", "patch", 0.05)
    with pytest.raises(ConfigError, match="no spikes"):
        Beatrix(gram="time").detect(ann.victim["ann"], ann.defender())


def test_too_few_clean_samples_of_a_class_are_refused():
    found = case("direct", "patch", 0.05)
    with pytest.raises(ConfigError, match="5 clean samples of class"):
        Beatrix().detect(found.stage, Defender.of(found.data.train, 0.02, found.train))
