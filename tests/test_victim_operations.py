"""Synaptic operations against a count by hand from the spikes that a probe sees."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikedoor.data import Digits
from spikedoor.errors import ConfigError
from spikedoor.rules import Conversion, Direct, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import ResNet, SmallConv
from spikedoor.victim import Probe
from spikedoor.victim.operations import operations, synapses_of

HOW = Training(epochs=6, batch=50, optimiser=Adam(lr=5e-3))


@pytest.fixture(scope="module")
def data():
    return Digits(train_limit=400, test_limit=6).load()


@pytest.mark.parametrize("steps", [4, 6])
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_each_spike_costs_the_weights_it_meets(data, steps, pool):
    net = SmallConv(width=8, pool=pool)
    stage = Direct(steps=steps, training=HOW).fit(net, data.train, 0).final
    probe = Probe(stage, quantities=("spikes",))
    (first, second, third, _) = probe.layers
    expected = np.zeros(6)
    pooled = F.avg_pool2d if pool == "avg" else F.max_pool2d
    synapses = list(stage.network.synapses())
    for piece in probe.stream(data.test):
        for name, layer, is_map in (
            (first, synapses[1].layer, True),
            (second, synapses[2].layer, True),
            (third, stage.network.head.layer, False),
        ):
            spikes = piece.traces[name].spikes
            shown = pooled(spikes.flatten(0, 1), 2) if is_map else spikes.flatten(0, 1)
            counts = (shown != 0).flatten(1).sum(1).unflatten(0, spikes.shape[:2]).sum(0).numpy()
            expected += counts * (
                layer.out_features
                if isinstance(layer, nn.Linear)
                else layer.weight.numel() / layer.in_channels
            )
    assert expected.min() > 0
    assert operations(stage, data.test, 6) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("groups", "dilation", "expected"),
    [(1, 1, 8 * 9), (2, 1, 4 * 9), (4, 1, 2 * 9), (4, 2, 2 * 9)],
)
def test_a_value_meets_the_channels_of_its_own_group(groups, dilation, expected):
    layer = nn.Conv2d(4, 8, 3, padding=2, groups=groups, dilation=dilation, bias=False)
    assert synapses_of(layer) == expected
    # The same by what a single spike in the middle does: as many products as outputs change.
    nn.init.ones_(layer.weight)
    spike = torch.zeros(1, 4, 9, 9)
    spike[0, 1, 4, 4] = 1
    assert int(torch.count_nonzero(layer(spike))) == expected


def test_a_kernel_over_strides():
    assert synapses_of(nn.Conv2d(3, 8, 3, stride=2)) == 8 * 9 / 4
    assert synapses_of(nn.Linear(10, 7)) == 7


def test_nothing_is_left_behind_and_an_ann_has_none(data):
    victim = Conversion(steps=4, ann=HOW).fit(ResNet(depth=18, width=0.125), data.train, 0)
    before = victim.final.predict(data.test, title=None)
    operations(victim.final, data.test, 4)
    assert np.array_equal(victim.final.predict(data.test, title=None), before)
    assert all(synapse.observer is None for synapse in victim.final.network.synapses())
    assert not victim.final.network.head.layer._forward_pre_hooks
    with pytest.raises(ConfigError, match="no spiking neurons"):
        operations(victim["ann"], data.test)


def test_a_silent_network_costs_nothing(data):
    stage = Direct(steps=3, training=HOW).fit(SmallConv(width=4), data.train, 0).final
    with torch.no_grad():
        for synapse in stage.network.synapses():
            synapse.layer.weight.zero_()
            synapse.norm.bias.fill_(-1)
    assert not operations(stage, data.test, 6).any()
