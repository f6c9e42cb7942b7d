"""NDSBM: limits that clean samples need stay, others are drawn in."""

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences.eliminate import NDSBM
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.victim import Stage


def limits(stage: Stage) -> list[torch.Tensor]:
    layers = [m for m in stage.network.modules() if isinstance(m, Spiking)]
    return [torch.stack([m.bounds.lower, m.bounds.upper]) for m in layers]


def test_a_channel_that_nothing_depends_on_is_shut_and_the_others_are_not():
    shown = case("direct")
    stage = shown.stage.copied()
    _, second, *_ = stage.network.synapses()
    with torch.no_grad():
        second.layer.weight[:, 0] = 0
    made = NDSBM(epochs=20).bound(stage, shown.defender(), 1e-3)
    upper = limits(made)[0][1]
    assert upper[:, 0].abs().max() < 0.05
    assert upper[:, 1:].max() > 0.5


def test_the_stage_stays_as_it_is_and_accuracy_within_the_tolerance():
    shown = case("direct")
    before = weights(shown.stage)
    method, defender = NDSBM(epochs=10, penalties=(0.03, 0.001)), shown.defender()
    made = method.repair(shown.stage, defender)
    after = weights(shown.stage)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    lost = (
        accuracy(shown.stage, defender.validation).value - accuracy(made, defender.validation).value
    )
    assert lost <= method.tolerance
    assert made.notes["repair"]["penalty"] in method.penalties
    again = method.repair(shown.stage, defender)
    assert all(torch.equal(a, b) for a, b in zip(limits(made), limits(again), strict=True))
    assert all(parameter.requires_grad for parameter in made.network.parameters())


def test_a_heavier_penalty_draws_the_limits_further_in():
    shown = case("direct")
    light, heavy = (NDSBM(epochs=5).bound(shown.stage, shown.defender(), c) for c in (0.001, 0.1))
    assert sum(x.norm() for x in limits(heavy)) < sum(x.norm() for x in limits(light))


def test_where_every_penalty_costs_too_much_nothing_is_bounded():
    shown = case("direct")
    made = NDSBM(epochs=30, penalties=(10.0,)).repair(shown.stage, shown.defender())
    assert made.notes["repair"]["penalty"] is None
    assert all(m.bounds is None for m in made.network.modules() if isinstance(m, Spiking))


def test_an_ann_has_no_currents_to_clamp():
    shown = case("conversion")
    with pytest.raises(ConfigError, match="spiking"):
        NDSBM().repair(shown.victim["ann"], shown.defender())
