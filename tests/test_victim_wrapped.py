"""Modules that are wrapped as they are: what they do, what is seen of them, what is left alone."""

import numpy as np
import pytest
import torch
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.testing.samples import stripes
from spikedoor.victim import Probe, Stage, activity, features, from_module, wrap_module

WHY = "it is an oracle only; `make test` installs it"
pytest.importorskip("spikingjelly.activation_based", reason=WHY)
snn = pytest.importorskip("snntorch", reason=WHY)
from snntorch import utils  # noqa: E402
from spikingjelly.activation_based import functional, layer, neuron  # noqa: E402
from wrapped_cases import SHAPE, STEPS, frames, lif, ours, residual  # noqa: E402


def traces(stage: Stage) -> list[dict[str, torch.Tensor]]:
    """Everything a probe sees, layer by layer, of some samples."""
    pieces = list(Probe(stage).stream(stripes(9)))
    found = []
    for name in Probe(stage).layers:
        parts = [vars(piece.traces[name]) for piece in pieces]
        found.append({key: torch.cat([part[key] for part in parts]) for key in parts[0]})
    return found


class Skip(nn.Module):
    """Two kinds of snnTorch's neurons, and the spikes of the first past the second."""

    def __init__(self, hidden: bool = True) -> None:
        super().__init__()
        state = {"init_hidden": True} if hidden else {}
        self.fc0, self.fc1, self.fc2 = nn.Linear(64, 20), nn.Linear(20, 20), nn.Linear(20, 3)
        self.lif = snn.Leaky(0.8, threshold=0.4, **state)
        self.syn = snn.Synaptic(0.7, 0.6, threshold=0.3, **state)
        self.out = snn.Leaky(0.9, threshold=0.6, output=hidden, **state)
        generator = torch.Generator().manual_seed(3)
        for weights in self.parameters():
            weights.data.normal_(0.0, 0.3, generator=generator)

    def forward(self, x):
        first = self.lif(self.fc0(x.flatten(1)))
        return self.out(self.fc2(first + self.syn(self.fc1(first))))


class Looped(Skip):
    def __init__(self, mean: bool) -> None:
        super().__init__(hidden=False)
        self.mean = mean

    def forward(self, x):
        mem1, (syn, mem2), mem3 = (
            self.lif.reset_mem(),
            self.syn.reset_mem(),
            self.out.reset_mem(),
        )
        spikes = []
        for _ in range(STEPS):
            first, mem1 = self.lif(self.fc0(x.flatten(1)), mem1)
            second, syn, mem2 = self.syn(self.fc1(first), syn, mem2)
            last, mem3 = self.out(self.fc2(first + second), mem3)
            spikes.append(last)
        return torch.stack(spikes).mean(0) if self.mean else (torch.stack(spikes), mem3)


def test_branches_of_spikingjelly_are_the_same_in_both_step_modes():
    x, found = frames(), []
    for mode in ("s", "m"):
        module = residual(mode)
        stage = wrap_module(module, SHAPE, 10, STEPS).final
        functional.reset_net(module)
        with torch.no_grad():
            theirs = module(x) if mode == "m" else torch.stack([module(frame) for frame in x])
        assert theirs.unique().numel() > 50
        assert torch.equal(ours(stage, x), theirs)
        assert torch.equal(ours(stage, x), theirs), "it began where the run before had ended"
        found.append(traces(stage))
        assert Probe(stage).layers == (
            "blocks.0.layers.sn",
            "blocks.0.layers.block.sn1",
            "blocks.0.layers.block.sn2",
            "head",
        )
    for single, several in zip(*found, strict=True):
        for key in single:
            torch.testing.assert_close(single[key], several[key])


def test_two_kinds_of_snntorch_and_a_skip_are_the_same():
    module, x = Skip(), frames()
    stage = wrap_module(module, SHAPE, 3, STEPS).final
    utils.reset(module)
    with torch.no_grad():
        theirs = torch.stack([module(frame)[0] for frame in x])
    assert theirs.mean(0).unique().numel() > 2
    assert torch.equal(ours(stage, x), theirs)
    assert [name.rpartition(".")[2] for name in Probe(stage).layers] == ["lif", "syn", "head"]
    seen = traces(stage)[1]
    torch.testing.assert_close((seen["membrane"] > 0.3).float(), seen["spikes"])
    assert 0.05 < seen["spikes"].mean() < 0.95


@pytest.mark.parametrize("mean", [False, True])
def test_a_module_may_go_through_the_steps_itself(mean):
    module, x = Looped(mean), frames(1)[0]
    stage = wrap_module(module, SHAPE, 3).final
    assert stage.steps == STEPS
    with torch.no_grad():
        theirs = module(x).expand(STEPS, 7, 3) if mean else module(x)[0]
    assert torch.equal(ours(stage, x), theirs)
    assert len(Probe(stage).layers) == 3
    with pytest.raises(ConfigError, match=f"goes through {STEPS} time steps itself, got 9"):
        wrap_module(module, SHAPE, 3, 9)
    with pytest.raises(ConfigError, match="expected the encoding 'direct'"):
        ours(stage, frames())


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("reset", [0.0, None], ids=["hard", "soft"])
def test_a_plain_chain_gives_the_same_by_both_roads(mode, reset):
    torch.manual_seed(0)  # a spike at the threshold may go either way in another order of sums
    module = nn.Sequential(
        layer.Conv2d(1, 6, 3),
        layer.BatchNorm2d(6),
        lif(v_threshold=0.4, v_reset=reset),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Linear(54, 12),
        neuron.ParametricLIFNode(1.7, v_threshold=0.2, v_reset=reset),
        layer.Linear(12, 3),
    )
    generator = torch.Generator().manual_seed(1)
    for weights in module.parameters():
        if weights.dim() > 1:
            weights.data.normal_(0.1, 0.3, generator=generator)
    functional.set_step_mode(module.eval(), mode)
    settings = {"mean": (0.2,), "std": (0.4,)}
    one = from_module(module, SHAPE, 3, 6, **settings).final
    other = wrap_module(module, SHAPE, 3, 6, **settings).final
    data = stripes(40)
    np.testing.assert_array_equal(one.predict(data), other.predict(data))
    for theirs, mine in zip(traces(one)[:-1], traces(other)[:-1], strict=True):
        assert 0.02 < mine["spikes"].mean() < 0.98
        for key in mine:
            torch.testing.assert_close(mine[key], theirs[key], rtol=1e-4, atol=1e-5)
    rates, theirs = activity(other, data), activity(one, data)
    np.testing.assert_allclose(rates.by_layer, theirs.by_layer)
    np.testing.assert_allclose(rates.by_sample, theirs.by_sample)


def test_an_ann_is_taken_too():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten(), nn.Linear(144, 3)
    ).eval()
    stage = wrap_module(module, SHAPE, 3).final
    data = stripes(9)
    assert (stage.name, stage.steps) == ("ann", 1)
    shown = torch.from_numpy(data.batch(np.arange(9))).float() / 255
    with torch.no_grad():
        assert torch.equal(ours(stage, shown)[0], module(shown))
        before = module[0](shown)
    found = features(stage, data, "membrane").reshape(before.shape)
    torch.testing.assert_close(torch.from_numpy(found), before)
    np.testing.assert_array_equal(features(stage, data, "activation"), found.reshape(9, -1).clip(0))
    with pytest.raises(ConfigError, match="has no spikes"):
        features(stage, data, "rate")


@pytest.mark.parametrize("hidden", [True, False])
def test_a_module_that_has_fired_before_is_taken_from_its_start(hidden):
    chain = nn.Sequential(nn.Flatten(), nn.Linear(64, 9), snn.Leaky(0.9, 0.1, init_hidden=True))
    module = nn.Sequential(chain, nn.Linear(9, 3)) if hidden else Skip()
    fresh = wrap_module(module, SHAPE, 3, STEPS).final
    for frame in frames():
        module(frame)
    used = wrap_module(module, SHAPE, 3, STEPS).final
    assert torch.equal(ours(used, frames()), ours(fresh, frames()))


@pytest.mark.parametrize("take", [from_module, wrap_module])
def test_what_is_no_module_no_shape_and_no_number_of_steps_is_told(take):
    with pytest.raises(ConfigError, match=r"expected a torch module, got str; .* safetensors"):
        take("model.pt", SHAPE, 3, STEPS)
    with pytest.raises(ConfigError, match=r"such as \(1, 28, 28\), got \(8, 8\)"):
        take(Skip(), (8, 8), 3, STEPS)
    for steps in (0, -1, 4.0, "4"):
        with pytest.raises(ConfigError, match="steps: expected a whole number from 1 on, got"):
            take(Skip(), SHAPE, 3, steps)


@pytest.mark.parametrize("take", [from_module, wrap_module])
def test_the_module_and_all_that_is_global_are_left_alone(take, monkeypatch):
    chain = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), lif(v_threshold=0.1)).train()
    hidden = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), snn.Leaky(0.5, init_hidden=True))
    monkeypatch.setattr(torch, "set_default_dtype", lambda _: pytest.fail("of all threads"))
    drawn = torch.get_rng_state()
    for module, name in ((chain, "v"), (hidden, "mem")):
        module(frames()[0])  # leaves a membrane, with its history
        before, weights = getattr(module[-1], name), module[1].weight.clone()
        victim = take(module, SHAPE, 3, STEPS)
        victim.final.predict(stripes(9))
        assert getattr(module[-1], name) is before
        assert before.any()
        assert module.training
        assert torch.equal(module[1].weight, weights)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert torch.equal(torch.get_rng_state(), drawn)
