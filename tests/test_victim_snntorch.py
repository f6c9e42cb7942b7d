"""Networks of snnTorch as victims: the same spikes at every step, or a refusal by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.neurons import IF, LIF, DelayedLIF
from spikedoor.snn.signal import Signal
from spikedoor.victim import Victim, from_module, nir

snn = pytest.importorskip("snntorch", reason="snnTorch is an oracle only; `make test` installs it")

SHAPE, STEPS = (1, 10, 10), 7
LEAKY: dict[str, dict[str, Any]] = {
    "default": {"beta": 0.8},
    "no-leak": {"beta": 1.0},
    "zero": {"beta": 0.7, "reset_mechanism": "zero"},
    "zero-at-once": {"beta": 0.7, "reset_mechanism": "zero", "reset_delay": False},
    "threshold": {"beta": 0.9, "threshold": 0.3},
}


class Looped(nn.Module):
    """Steps, membranes and pooling as in snnTorch's tutorials."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(1, 4, 3), snn.Leaky(**settings)
        self.fc2, self.lif2 = nn.Linear(64, 6), snn.Leaky(**settings)
        drawn(self)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(STEPS):
            cur1 = F.max_pool2d(self.conv1(x), 2)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1.view(x.shape[0], -1))
            spk2, mem2 = self.lif2(cur2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


class TimeFirst(Looped):
    """Shown frames, time first."""

    def forward(self, x):
        steps = []
        for frame in x:
            spk1, _ = self.lif1(F.max_pool2d(self.conv1(frame), 2))
            steps.append(self.lif2(self.fc2(spk1.flatten(1)))[0])
        return torch.stack(steps)


def drawn(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for inner in module.modules():
        if isinstance(inner, nn.Conv2d | nn.Linear):
            inner.weight.data.normal_(0.05, 0.3, generator=generator)
            if inner.bias is not None:
                inner.bias.data.uniform_(-0.1, 0.1, generator=generator)
    return module


def hidden(make: Callable[[int], nn.Module]) -> nn.Module:
    layers = nn.Flatten(), nn.Linear(100, 20), make(20), nn.Linear(20, 6), make(6)
    return drawn(nn.Sequential(*layers))


def rates(victim: Victim, x: torch.Tensor) -> torch.Tensor:
    stage = victim.final
    return stage.readout.scores(stage.network(Signal(x.flatten(0, 1), *x.shape[:2])))[-1]


@pytest.mark.parametrize("kind", LEAKY)
def test_a_loop_over_time_is_the_same(kind):
    module = Looped(**LEAKY[kind])
    victim = from_module(module, SHAPE, 6)
    assert victim.final.steps == STEPS
    expected = {"default": DelayedLIF, "no-leak": IF, "threshold": DelayedLIF}.get(kind, LIF)
    assert type(victim.final.blueprint.neuron) is expected
    x = torch.rand(9, *SHAPE, generator=torch.Generator().manual_seed(1)) * 3
    with torch.no_grad():
        spikes, _ = module(x)
    assert spikes.mean(0).unique().numel() > 3
    found = rates(victim, x.expand(STEPS, *x.shape))
    torch.testing.assert_close(found, spikes.mean(0), rtol=0, atol=1e-6)


def test_the_reset_that_is_advised_for_nir_can_be_written(tmp_path):
    pytest.importorskip("nir", reason="pip install spikedoor[nir]")
    path = tmp_path / "model.nir"

    def chain(**reset: str) -> nn.Module:
        return hidden(lambda n: snn.Leaky(0.9, init_hidden=True, output=n == 6, **reset))

    with pytest.raises(ConfigError, match="reset_mechanism='zero'"):
        nir.write(from_module(chain(), SHAPE, 6, STEPS).final, path)
    module = chain(reset_mechanism="zero")
    nir.write(from_module(module, SHAPE, 6, STEPS).final, path)
    x = torch.rand(STEPS, 9, *SHAPE, generator=torch.Generator().manual_seed(1)) * 3
    with torch.no_grad():
        theirs = torch.stack([module(frame)[0] for frame in x]).mean(0)
    assert theirs.unique().numel() > 3
    found = rates(nir.read(path, 6, STEPS), x)
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("output", [True, False])
def test_hidden_state_is_the_same_and_comes_from_no_earlier_call(output):
    def make(width: int) -> nn.Module:
        last = output and width == 6
        threshold = torch.linspace(0.5, 1, width)
        return snn.Leaky(0.8, threshold=threshold, init_hidden=True, output=last)

    module = hidden(make)
    x = torch.rand(STEPS, 9, *SHAPE, generator=torch.Generator().manual_seed(1)) * 3
    module(x[0])  # leaves a membrane, and a graph, behind
    victim = from_module(module, SHAPE, 6, STEPS)
    for inner in module.modules():
        if isinstance(inner, snn.Leaky):
            inner.reset_mem()
    with torch.no_grad():
        outputs = [module(frame) for frame in x]
    theirs = torch.stack([one[0] if output else one for one in outputs]).mean(0)
    assert theirs.unique().numel() > 3
    torch.testing.assert_close(rates(victim, x), theirs, rtol=0, atol=1e-6)


def test_frames_may_come_time_first():
    module = TimeFirst(beta=0.8)
    x = torch.rand(STEPS, 9, *SHAPE, generator=torch.Generator().manual_seed(1)) * 3
    victim = from_module(module, SHAPE, 6, STEPS)
    for layer in (module.lif1, module.lif2):
        layer.reset_mem()
    with torch.no_grad():
        theirs = module(x).mean(0)
    torch.testing.assert_close(rates(victim, x), theirs, rtol=0, atol=1e-6)
    with pytest.raises(ConfigError, match="give `steps`"):
        from_module(module, SHAPE, 6)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"reset_mechanism": "none"}, "its reset is 'none', expected 'subtract' or 'zero'"),
        ({"reset_delay": False}, "with reset_delay=False"),
        ({"graded_spikes_factor": 2.0}, "graded_spikes_factor is 2"),
        ({"beta": torch.linspace(0.1, 0.9, 20)}, "one beta for all neurons"),
        ({"beta": 0.0}, "one beta for all neurons, above 0"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_name(settings, found):
    module = hidden(
        lambda width: snn.Leaky(
            **{"beta": 0.8, "init_hidden": True, **(settings if width == 20 else {})}
        )
    )
    with pytest.raises(ConfigError, match=rf"'2' \(Leaky\) cannot be translated: .*{found}"):
        from_module(module, SHAPE, 6, STEPS)


def test_neurons_with_more_state_are_refused_by_name():
    module = hidden(lambda width: snn.Synaptic(0.9, 0.8, init_hidden=True))
    with pytest.raises(ConfigError, match=r"'2' \(Synaptic\) cannot be translated: known are"):
        from_module(module, SHAPE, 6, STEPS)
