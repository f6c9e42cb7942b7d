"""Thresholds balanced layer by layer, against a simulation of what the papers describe."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    build,
    identity_network,
    images,
    neurons,
    one_thread,
    output,
)
from torch import nn

from spikedoor.rules.conversion import RMP, SpikeNorm
from spikedoor.rules.conversion.layers import places
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.blocks import Flatten, Head, Synapse, Unit
from spikedoor.snn.networks import Network, ResNet

SIZES = (6, 9, 8, 5, 3)


@torch.no_grad()
def chain(seed: int = 0, bias: bool = False) -> Network:
    """Make a network of linear layers whose inputs are mostly positive, so that all are active."""
    random = torch.Generator().manual_seed(seed)
    units: list[nn.Module] = [Flatten()]
    for before, after in pairwise(SIZES[:-1]):
        layer = nn.Linear(before, after, bias=bias)
        layer.weight.uniform_(-0.3, 0.8, generator=random)
        if bias:
            layer.bias.uniform_(-0.5, 0.5, generator=random)
        units.append(Unit(Synapse(layer, None), Rectifier()))
    head = Head(*SIZES[-2:])
    head.layer.weight.uniform_(-1, 1, generator=random)
    head.layer.bias.zero_()
    return Network(units, head)


class TestBalancing:
    x = torch.rand(7, 1, 1, SIZES[0], generator=torch.Generator().manual_seed(5))

    def published(
        self,
        ann: Network,
        factor: float,
        hard: bool,
        steps: int,
        given: list[float] | None = None,
    ):
        """Simulate the paper's network: spikes of height 1, weights kept, thresholds to those.

        Thresholds are found on the way, or given.
        """
        sent = np.repeat(self.x.flatten(1).numpy()[None].astype(np.float64), steps, 0)
        trains, thresholds = [], []
        for unit in list(ann.blocks)[1:]:
            current = sent @ unit.synapse.layer.weight.detach().numpy().T.astype(np.float64)
            threshold = given[len(trains)] if given else factor * current.max()
            membrane, spikes = np.zeros(current.shape[1:]), np.zeros(current.shape)
            for t in range(steps):
                membrane += current[t]
                spikes[t] = membrane >= threshold
                membrane -= spikes[t] * (membrane if hard else threshold)
            sent = spikes
            trains.append(spikes)
            thresholds.append(threshold)
        return trains, thresholds

    @pytest.mark.parametrize(
        ("converter", "factor", "hard"),
        [
            (SpikeNorm(steps=30), 1.0, True),
            (SpikeNorm(steps=30, reset="soft"), 1.0, False),
            (RMP(steps=30, factor=0.7), 0.7, False),
            (SpikeNorm(steps=30, reset="soft", scale=0.7), 1.0, False),
        ],
        ids=["spike-norm", "spike-norm-soft", "rmp", "spike-norm-scaled"],
    )
    def test_sends_the_spikes_of_the_published_form(self, converter, factor, hard):
        """Ours are as high as the threshold, which is the product of the published ones so far."""
        ann = chain()
        trains, thresholds = self.published(ann, factor, hard, 30)
        if getattr(converter, "scale", 1.0) < 1:
            wanted = [converter.scale * threshold for threshold in thresholds]
            trains, thresholds = self.published(ann, factor, hard, 30, wanted)
        ours = converter.convert(ann, self.x.split(3), 8)
        found = [float(neuron.threshold) for neuron in neurons(ours)]
        assert found == pytest.approx(np.cumprod(thresholds).tolist(), rel=1e-5)
        sent: list[torch.Tensor] = []
        for neuron in neurons(ours):
            neuron.observer = sent.append
        output(ours, self.x, 30)
        for spikes, mine, height in zip(trains, sent, found, strict=True):
            assert 0.02 < spikes.mean() < 0.9
            assert (
                mine.view(30, 7, -1).numpy() / height == spikes
            ).mean() > 0.99  # ties in single precision

    def test_soft_rates_tend_to_the_activations_biases_and_all(self):
        ann = chain(bias=True)
        network = RMP(factor=1.0).convert(ann, [self.x], 8)
        errors = [float((output(network, self.x, t) - output(ann, self.x)).abs().max())
                  for t in (100, 3000)]  # fmt: skip
        assert errors[1] < 0.01 * float(output(ann, self.x).abs().max())
        assert errors[1] < errors[0] / 10
        assert (output(network, self.x, 3000).argmax(1) == output(ann, self.x).argmax(1)).all()

    def test_hard_rates_are_one_in_a_whole_number_of_steps(self):
        values = torch.tensor([0.1, 0.3, 0.5, 0.6, 0.9, 1.0])
        ann = identity_network(6, Rectifier())
        network = SpikeNorm(steps=4).convert(ann, [values.view(1, 1, 1, -1)], 8)
        rates = output(network, values.view(1, 1, 1, -1), 360)[0]
        wanted = [1 / 11, 1 / 4, 1 / 2, 1 / 2, 1 / 2, 1]  # 0.1 ten times falls short of 1 in floats
        assert rates.tolist()[1:] == pytest.approx(wanted[1:])
        assert rates[0] == pytest.approx(0.1, abs=0.01)

    def test_hard_reset_keeps_the_argmax(self):
        ann = chain(seed=3)
        network = SpikeNorm().convert(ann, [self.x], 8)
        same = output(network, self.x, 1000).argmax(1) == output(ann, self.x).argmax(1)
        assert same.float().mean() >= 0.85

    def test_residual_blocks_balance_the_sum_of_both_branches(self):
        ann, x = build(ResNet(depth=20, width=0.5)), images(4)
        network = RMP(factor=1.0, steps=20).convert(ann, [x], 8)
        currents: dict[str, float] = {}
        for place in places(network):
            place.of(network).register_forward_pre_hook(
                lambda module, given, name=place.name: currents.update(
                    {name: float(given[0].data.max())}
                )
            )
        output(network, x, 20)
        for place in places(network):
            threshold = float(place.of(network).threshold)
            assert threshold == pytest.approx(currents[place.name], rel=1e-4)
