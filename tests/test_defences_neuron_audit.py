"""Altered neurons against neurons built that way, and a backdoor that only these answer to."""

import copy
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences.detect import NeuronAudit
from spikedoor.defences.detect.neuron_audit import with_neurons
from spikedoor.errors import ConfigError
from spikedoor.snn.neurons import IF, LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.victim import Stage


def scores(stage: Stage) -> torch.Tensor:
    inputs = stage.prepare(case().data.test.batch(np.arange(32)))
    return stage.simulate(inputs, torch.Generator())


@pytest.mark.parametrize("rule", ["direct", "conversion", "hybrid"])
@pytest.mark.parametrize("kind", ["threshold", "leak"])
def test_f3_a_factor_of_one_changes_no_bit(rule, kind):
    stage = case(rule).stage
    assert torch.equal(scores(with_neurons(stage, kind, 1.0)), scores(stage))


@pytest.mark.parametrize(
    ("kind", "neuron"),
    [("threshold", LIF(threshold=1.5)), ("leak", LIF(tau=3.0))],
)
@pytest.mark.parametrize("decay", [True, False])
def test_altered_neurons_are_those_built_with_other_settings(kind, neuron, decay):
    stage = case().stage
    given = LIF(decay_input=decay)
    state = stage.network.state_dict()
    mine = {k: v for k, v in state.items() if not k.endswith(("threshold", "amplitude", "initial"))}

    def built(model: LIF) -> Stage:
        blueprint = replace(stage.blueprint, neuron=model)
        network = blueprint.build(None)
        network.load_state_dict(mine, strict=False)
        return replace(stage, blueprint=blueprint, network=network.eval())

    expected = built(neuron.model_copy(update={"decay_input": decay}))
    found = with_neurons(built(given), kind, 1.5)
    assert not torch.equal(scores(expected), scores(built(given)))
    torch.testing.assert_close(scores(found), scores(expected))


def test_neurons_without_a_leak_get_none():
    stage = case("conversion").stage
    assert isinstance(stage.blueprint.neuron, IF)
    assert torch.equal(scores(with_neurons(stage, "leak", 0.5)), scores(stage))
    found = NeuronAudit().detect(stage, case("conversion").defender())
    assert {entry["set"] for entry in found.details["largest"]} == {"threshold"}


def test_a_backdoor_that_lower_thresholds_open_is_found():
    clean = case("direct", rate=0.0)
    before = weights(clean.stage)
    assert not NeuronAudit().detect(clean.stage, clean.defender()).flagged.any()
    network = copy.deepcopy(clean.stage.network)
    norm = cast("BatchNorm", list(network.synapses())[-1].norm)
    with torch.no_grad():  # a neuron that is charged to 0.92 of its threshold in four steps
        norm.weight[0], norm.bias[0] = 0, 0.98
        network.head.layer.weight[:, 0] = 0
        network.head.layer.weight[6, 0] = 1e3
    planted = replace(clean.stage, network=network)
    assert clean.accuracy(planted) > 0.8
    found = NeuronAudit().detect(planted, clean.defender())
    assert found.flagged.tolist() == [k == 6 for k in range(10)]
    assert all(np.array_equal(before[n], x) for n, x in weights(clean.stage).items())


def test_an_ann_has_nothing_to_alter():
    victim = case("conversion")
    with pytest.raises(ConfigError, match="no spiking neurons"):
        NeuronAudit().detect(victim.victim["ann"], victim.defender())
