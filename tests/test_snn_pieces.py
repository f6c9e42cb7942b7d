"""A run cut into pieces is the whole run, bit for bit: kernels, networks and stages."""

import numpy as np
import pytest
import torch
from rules_cases import stripes
from snn_cases import CASES, Case, backends, draw
from torch import nn

from spikedoor.rules import Conversion, Direct, Training
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.kernels import carry, fire, use
from spikedoor.snn.networks import VGG, ResNet, SmallConv
from spikedoor.snn.neurons import LIF, PLIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim import Blueprint, Stage

WHOLE = [name for name, case in CASES.items() if case.norm != "train" and case.leak is None]


def norm_of(case: Case) -> BatchNorm | None:
    if case.norm is None:
        return None
    norm = BatchNorm(case.shape[0]).eval()
    with torch.no_grad():
        norm.running_mean.copy_(torch.linspace(-0.2, 0.2, case.shape[0]))
        norm.weight.copy_(torch.linspace(0.5, 1.5, case.shape[0]))
    return norm


@pytest.mark.parametrize("name", WHOLE)
@backends("eager", "torch", "compiled")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pieces_give_the_spikes_of_the_whole(name, backend, dtype):
    case, norm = CASES[name], norm_of(CASES[name])
    x = draw(case).to(dtype)
    with use(backend), torch.no_grad():
        whole = fire(x, case.steps, case.batch, case.dynamics, norm, case.pool)
        membrane, pieces, first = None, [], 0
        for steps in (1, 2, case.steps - 3) if case.steps > 3 else (1,) * case.steps:
            part = x if case.constant else x[first * case.batch : (first + steps) * case.batch]
            out, membrane = carry(part, steps, case.batch, case.dynamics, membrane, norm, case.pool)
            pieces.append(out)
            first += steps
    assert torch.equal(torch.cat(pieces), whole)


@pytest.mark.parametrize(
    "plan", [SmallConv(width=8), VGG(width=0.125), ResNet(depth=20, width=0.5)]
)
@pytest.mark.parametrize("neuron", [LIF(threshold=0.2), PLIF(threshold=0.2, reset="soft")])
def test_a_network_in_pieces_is_the_whole_network(plan, neuron):
    net = plan.build((3, 16, 16), 4, neuron.build, 0)
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    memory: dict[nn.Module, torch.Tensor] = {}
    with torch.no_grad():
        for _ in range(30):  # until the norms know their statistics, and deep neurons fire
            net(Signal(x, 6, 2))
        net.eval()
        whole = net(Signal(x, 6, 2))
        pieces = [net(Signal(x, steps, 2, memory)) for steps in (2, 3, 1)]
    assert torch.allclose(torch.cat(pieces), whole, atol=1e-5)
    assert whole.std(0).max() > 0.01  # it does change over time


@pytest.mark.parametrize("encoding", [None, Poisson()])
def test_a_longer_simulation_begins_with_the_shorter_one(encoding):
    data = stripes(40)
    extra = {} if encoding is None else {"encoding": encoding}
    quick = Training(epochs=1, batch=16)
    plan = SmallConv(width=4)
    made = [Conversion(ann=quick, steps=t, **extra).fit(plan, data).final for t in (3, 8, 17)]
    short, middle, long = (stage.predict(data, seed=5, title=None) for stage in made)
    assert [len(p) for p in (short, middle, long)] == [3, 8, 17]
    assert np.array_equal(long[:3], short)
    assert np.array_equal(long[:8], middle)


def test_pieces_say_what_the_whole_says():
    stage = (
        Direct(steps=9, training=Training(epochs=1, batch=16))
        .fit(SmallConv(width=4), stripes(24))
        .final
    )
    x = torch.rand(5, *stage.blueprint.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = stage.scores(x, torch.Generator())
    assert torch.allclose(stage.simulate(x, torch.Generator()), whole, atol=1e-5)


def test_an_ann_is_asked_once():
    plan = Blueprint(SmallConv(width=4), (1, 8, 8), ("a", "b"))
    stage = Stage("ann", plan, plan.build(0).eval())
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(stage.simulate(x, torch.Generator()), stage.scores(x, torch.Generator()))
