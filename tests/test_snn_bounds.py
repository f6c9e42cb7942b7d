"""Limits on currents: their definition, pieces of a run, files, and neutral ones."""

import numpy as np
import pytest
import torch
from defence_cases import case

from spikedoor.errors import DataError
from spikedoor.rng import torch_generator
from spikedoor.snn.activations import Spiking
from spikedoor.snn.bounds import Bounds
from spikedoor.snn.kernels import fire
from spikedoor.snn.neurons import IF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim import Probe, Stage, Victim

RULES = ["direct", "conversion", "hybrid"]


def neurons(stage: Stage) -> dict[str, Spiking]:
    return {n: m for n, m in stage.network.named_modules() if isinstance(m, Spiking)}


def bounded(stage: Stage, low: float, high: float, steps: int = 3, seed: int = 0) -> Stage:
    """Return a copy with limits drawn between two numbers, lower ones with the sign turned."""
    made, random = stage.copied(), torch.Generator().manual_seed(seed)
    for path, layer in neurons(made).items():
        channels = stage.network.get_submodule(path.rpartition(".")[0]).synapse.layer.weight.shape[
            0
        ]
        drawn = low + (high - low) * torch.rand(2, steps, channels, generator=random)
        layer.bounds = Bounds(-drawn[0], drawn[1])
    return made


def shown(stage: Stage) -> torch.Tensor:
    data = case().data.test
    return stage.prepare(data.batch(np.arange(16)))


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_current_is_clamped_by_step_and_channel_and_the_last_limits_go_on(steps):
    x = torch.randn(steps * 2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    layer = IF().build()
    lower, upper = -torch.rand(5, 3), torch.rand(5, 3)
    layer.bounds = Bounds(lower, upper)
    want = x.clone()
    for t in range(steps):
        for c in range(3):
            limits = float(lower[min(t, 4), c]), float(upper[min(t, 4), c])
            want[2 * t : 2 * t + 2, c] = x[2 * t : 2 * t + 2, c].clamp(*limits)
    found = layer(Signal(x, steps, 2)).data
    assert torch.equal(found, fire(want, steps, 2, layer.dynamics()))


def test_they_act_behind_the_norm_and_on_a_constant_current_step_by_step():
    x, norm = torch.randn(2, 3, 4, 4), BatchNorm(3).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
    layer = IF().build()
    layer.bounds = Bounds(-torch.ones(2, 3), torch.tensor([[0.5] * 3, [2.0] * 3]))
    found = layer(Signal(x, 2, 2), norm).data
    want = torch.cat([norm(x).clamp(-1, 0.5), norm(x).clamp(-1, 2.0)])
    assert torch.allclose(found, fire(want, 2, 2, layer.dynamics()))


@pytest.mark.parametrize("rule", RULES)
def test_f3_neutral_limits_change_no_bit(rule):
    stage = case(rule).stage
    made, inputs = bounded(stage, 1e9, 1e9), shown(stage)
    want, found = (s.simulate(inputs, torch_generator(0, "x", "cpu")) for s in (stage, made))
    assert torch.equal(want, found)


def test_pieces_of_a_run_are_clamped_as_the_whole_run_is():
    stage = bounded(case("conversion").stage, 0.1, 1.0, steps=10)
    assert stage.steps % 4 == 0
    inputs = shown(stage)
    with torch.inference_mode():
        whole = stage.scores(inputs, torch_generator(0, "x", "cpu"))
    assert torch.equal(whole, stage.simulate(inputs, torch_generator(0, "x", "cpu")))
    free = case("conversion").stage.simulate(inputs, torch_generator(0, "x", "cpu"))
    assert not torch.equal(whole, free)


def test_a_probe_sees_the_clamped_current():
    stage, data = bounded(case("conversion").stage, 0.1, 0.1), case().data.test
    path = next(iter(neurons(stage)))
    seen = [
        piece.traces[path].current
        for piece in Probe(stage, [path], ["current"]).stream(data, np.arange(4))
    ]
    assert seen[0].abs().max() == pytest.approx(0.1)


def test_they_travel_with_the_victim(tmp_path):
    stage = bounded(case("hybrid").stage, 0.1, 1.0)
    Victim((stage,)).save(tmp_path / "victim")
    read = Victim.load(tmp_path / "victim").final
    for mine, theirs in zip(neurons(stage).values(), neurons(read).values(), strict=True):
        assert torch.equal(mine.bounds.lower, theirs.bounds.lower)
        assert torch.equal(mine.bounds.upper, theirs.bounds.upper)
    data = case().data.test
    assert np.array_equal(stage.predict(data), read.predict(data))


def test_limits_that_do_not_fit_are_refused(tmp_path):
    stage = case("hybrid").stage.copied()
    next(iter(neurons(stage).values())).bounds = Bounds(torch.zeros(2, 5), torch.ones(2, 5))
    Victim((stage,)).save(tmp_path / "victim")
    with pytest.raises(DataError, match="not a readable victim"):
        Victim.load(tmp_path / "victim")
