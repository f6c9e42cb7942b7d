"""Idle evidence by hand, what the head gets, and planted backdoors."""

import copy
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences import Defender
from spikedoor.defences.detect import RateStatistics
from spikedoor.defences.detect.rate_statistics import idle_evidence
from spikedoor.errors import ConfigError
from spikedoor.snn.norm import BatchNorm
from spikedoor.victim import features


def test_idle_evidence_by_hand():
    # Neuron 0 fires on its own class, 1 on the other one (half as often on its own), 2 is dormant.
    heads = np.array([[3.0, 2.0, 0.0], [1.0, 0.0, 4.0]])
    rates = np.array([[0.8, 0.1, 0.0], [0.2, 0.2, 0.0]])
    # Class 0: 1 * (1 - 1) + 1 * (1 - 0.5). Class 1: the dormant neuron's 2, in full.
    assert idle_evidence(heads, rates) == pytest.approx([0.5, 2.0])


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_rates_are_those_of_the_last_layer(rule):
    stage, defender = case(rule).stage, case(rule).defender()
    rates = RateStatistics()._rates(stage, defender)
    found = features(stage, defender.clean, "activation")
    mean = [found[defender.clean.labels == k].mean(0) for k in range(10)]
    assert rates == pytest.approx(np.array(mean), abs=1e-5)


def test_a_neuron_planted_for_a_class_is_found_and_nothing_is_changed():
    clean = case("direct", rate=0.0)
    before = weights(clean.stage)
    found = RateStatistics().detect(clean.stage, clean.defender())
    assert not found.flagged.any()
    assert all(np.array_equal(before[n], x) for n, x in weights(clean.stage).items())
    network = copy.deepcopy(clean.stage.network)
    norm = cast("BatchNorm", list(network.synapses())[-1].norm)
    with torch.no_grad():
        norm.weight[0] = 0  # silent, whatever comes
        norm.bias[0] = 0
        network.head.layer.weight[:, 0] = 0
        network.head.layer.weight[4, 0] = 8
    stage = replace(clean.stage, network=network)
    planted = RateStatistics().detect(stage, clean.defender())
    assert planted.flagged.tolist() == [k == 4 for k in range(10)]
    assert planted.details["dormant"] == found.details["dormant"] + 1


def test_it_needs_samples_of_every_class():
    victim = case()
    some = victim.data.train.subset(np.flatnonzero(victim.data.train.labels != 3))
    with pytest.raises(ConfigError, match="none of 3"):
        RateStatistics().detect(victim.stage, Defender.of(some, 0.2))
