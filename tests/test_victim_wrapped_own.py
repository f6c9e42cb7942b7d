"""Wrapped modules of neurons that nobody knows: what is found, can be told, or is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from victim_cases import made

from spikedoor.errors import ConfigError
from spikedoor.snn.neurons import IF
from spikedoor.snn.signal import Signal
from spikedoor.testing.samples import stripes
from spikedoor.victim import Probe, Victim, features, nir, unwrap, wrap_module
from spikedoor.victim.operations import operations

WHY = "SpikingJelly is an oracle only; `make test` installs it"
pytest.importorskip("spikingjelly.activation_based", reason=WHY)
from wrapped_cases import SHAPE, STEPS, frames, ours  # noqa: E402


class Leaves(nn.Module):
    """Neurons that nobody knows, which keep their membrane in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.v: torch.Tensor | None = None

    def forward(self, x):
        v = x if self.v is None else self.v / 2 + x
        spikes = (v >= 0.5).float()
        self.v = v - spikes / 2
        return spikes * 0.7


class Buffered(Leaves):
    """Others, with a buffer that is changed in place."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.register_buffer("v", torch.zeros(1))

    def forward(self, x):
        self.v = self.v if self.v.shape == x.shape else torch.zeros_like(x)
        self.v.div_(2).add_(x)
        spikes = (self.v >= 0.5).float()
        self.v.sub_(spikes / 2)
        return spikes * 0.7


class Own(nn.Module):
    def __init__(self, make: Callable[[], nn.Module] = Leaves) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv, self.neurons, self.fc = nn.Conv2d(1, 4, 3), make(), nn.Linear(144, 3)
        for weights in self.parameters():
            weights.data.normal_(0.05, 0.3, generator=generator)

    def forward(self, x):
        return self.fc(self.neurons(self.conv(x)).flatten(1))


@pytest.mark.parametrize("make", [Leaves, Buffered])
def test_unknown_neurons_are_found_by_what_they_do(make):
    module, x = Own(make), frames()
    stage = wrap_module(module, SHAPE, 3, STEPS).final
    with torch.no_grad():
        theirs = torch.stack([module(frame) for frame in x])
    assert torch.equal(ours(stage, x), theirs)
    assert Probe(stage).layers == ("blocks.0.layers.neurons", "head")
    rates = features(stage, stripes(9), "rate")
    assert 0.05 < rates.mean() < 0.95
    np.testing.assert_allclose(features(stage, stripes(9), "activation"), rates * 0.7, rtol=1e-6)
    with pytest.raises(ConfigError, match=f"shows no membrane: {make.__name__} has none"):
        features(stage, stripes(9), "membrane")
    named = wrap_module(Own(make), SHAPE, 3, STEPS, spiking=["neurons"]).final
    np.testing.assert_array_equal(features(named, stripes(9), "rate"), rates)
    with pytest.raises(ConfigError, match="no layer 'neuron'; did you mean 'neurons'"):
        wrap_module(Own(make), SHAPE, 3, STEPS, spiking=["neuron"])


def test_a_state_of_one_number_can_be_trained_with_after_a_prediction():
    class Learned(Leaves):
        def __init__(self):
            super().__init__()
            self.v, self.keep = torch.zeros(1), nn.Parameter(torch.tensor(0.5))

        def forward(self, x):
            v = self.v * self.keep + x
            spikes = torch.sigmoid(4 * v - 2)
            spikes = spikes + ((v >= 0.5).float() - spikes).detach()
            self.v = v - spikes.detach() / 2
            return spikes

    stage = wrap_module(Own(Learned), SHAPE, 3, STEPS).final
    stage.predict(stripes(9))
    ours_then = stage.network(Signal(frames().flatten(0, 1), STEPS, 7))
    ours_then.sum().backward()
    assert stage.network.get_submodule("blocks.0.module.neurons").keep.grad != 0
    assert torch.equal(ours(stage, frames()), ours_then)


def test_what_cannot_be_found_can_be_told():
    class SamplesFirst(Own):
        def forward(self, x):
            steps = [super(SamplesFirst, self).forward(frame) for frame in x.transpose(0, 1)]
            return torch.stack(steps, 1)

    with pytest.raises(ConfigError, match=r"depends on the others of its batch.* give `run`"):
        wrap_module(SamplesFirst(), SHAPE, 3, STEPS)
    stage = wrap_module(
        SamplesFirst(), SHAPE, 3, STEPS, run=lambda m, x: m(x.transpose(0, 1)).transpose(0, 1)
    ).final
    assert torch.equal(
        ours(stage, frames()), ours(wrap_module(Own(), SHAPE, 3, STEPS).final, frames())
    )
    used = Own()
    used(frames()[0][:4])
    with pytest.raises(ConfigError, match=r"'neurons' has a state 'v' that is left .* `reset`"):
        wrap_module(used, SHAPE, 3, 5)
    reset = wrap_module(used, SHAPE, 3, STEPS, reset=lambda m: setattr(m.neurons, "v", None)).final
    assert torch.equal(ours(reset, frames()), ours(stage, frames()))
    with pytest.raises(ConfigError, match="give `steps`"):
        wrap_module(Own(), SHAPE, 3)
    with pytest.raises(ConfigError, match=r"expected scores of 4 .* and 5 classes.* got .4, 3"):
        wrap_module(Own(), SHAPE, 5, 3)
    with pytest.raises(ConfigError, match=r"expected weights in float32.* got torch.float64"):
        wrap_module(Own().double(), SHAPE, 3, STEPS)


def test_a_victim_is_shown_in_a_few_lines_and_not_weight_by_weight():
    stage = wrap_module(Own(), SHAPE, 3, STEPS).final
    assert len(repr(Victim((stage,)))) < 600
    with pytest.raises(ConfigError, match="begin with `wrap_module`"):
        unwrap(made("direct", IF(), 2))


def test_no_file_is_made_of_code_and_no_weights_are_guessed(tmp_path):
    pytest.importorskip("nir")
    stage = wrap_module(Own(), SHAPE, 3, STEPS).final
    with pytest.raises(ConfigError, match=r"'Own' is code .*load_state_dict"):
        Victim((stage,)).to_files()
    with pytest.raises(ConfigError, match=r"WrappedModule\) cannot be written as NIR"):
        nir.write(stage, tmp_path / "model.nir")
    with pytest.raises(ConfigError, match=r"which weights a spike meets .* is not known"):
        operations(stage, stripes(9))
