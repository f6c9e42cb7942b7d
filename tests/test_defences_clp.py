"""Channel Lipschitz pruning: the planted channel goes, by graph, and falls silent."""

from typing import cast

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences import layers
from spikedoor.defences.eliminate import CLP
from spikedoor.rng import torch_generator
from spikedoor.snn.networks import PreActResNet, SmallConv
from spikedoor.snn.networks.base import Architecture
from spikedoor.snn.neurons import IF
from spikedoor.victim import Stage
from spikedoor.victim.blueprint import Blueprint


def planted(network: Architecture, layer: int, folded: bool = False) -> Stage:
    """Return a fresh stage with one channel far more sensitive, by its norm where there is one."""
    blueprint = Blueprint(network, (1, 8, 8), tuple("abc"), IF(), folded)
    stage = Stage("direct", blueprint, blueprint.build(0).eval(), steps=4)
    found = layers(stage.network)[layer]
    module, norm = found.parts[0]
    with torch.no_grad():
        (norm if norm is not None else module).weight[5] *= 50
        shift = norm.bias if norm is not None else module.bias
        cast(torch.Tensor, shift)[5] = 9.0
    return stage


@pytest.mark.parametrize("folded", [False, True])
def test_f15_a_pruned_channel_never_spikes(folded: bool) -> None:
    stage = planted(SmallConv(width=16), 0, folded)
    before = weights(stage)
    defender = case().defender()
    repaired = CLP().repair(stage, defender)
    layer = layers(repaired.network)[0]
    assert repaired.notes["repair"]["pruned"][layer.path] == [5]
    shown: list[torch.Tensor] = []
    layer.activation.observer = lambda x: shown.append(x.clone())
    repaired.simulate(torch.ones(2, 1, 8, 8), torch_generator(0, "test"))
    spikes = torch.cat(shown)
    assert not spikes[:, 5].any()
    assert spikes.any()
    assert all(np.array_equal(before[k], v) for k, v in weights(stage).items())


def test_f14_the_planted_channel_of_a_pre_activation_net_is_pruned() -> None:
    stage = planted(PreActResNet(width=0.25), 1)
    pruned = CLP().repair(stage, case().defender()).notes["repair"]["pruned"]
    assert pruned[layers(stage.network)[1].path] == [5]
    assert sum(map(len, pruned.values())) <= 3


def test_the_norm_counts_and_not_the_weights_alone() -> None:
    stage = planted(SmallConv(width=16), 0)
    module = layers(stage.network)[0].parts[0][0]
    with torch.no_grad():
        module.weight[5] /= 50
    repaired = CLP().repair(stage, case().defender())
    assert 5 not in repaired.notes["repair"]["pruned"][layers(stage.network)[0].path]
