"""What every registered neuron keeps; the checks are those of `spikedoor.testing`."""

import math

import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.snn.kernels import use
from spikedoor.snn.neurons import LIF, NEURONS, PLIF
from spikedoor.snn.signal import Signal
from spikedoor.testing.neurons import CHECKS

names = pytest.mark.parametrize("name", NEURONS.names())


def drawn(*shape: int) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@names
def test_neuron(name, check):
    check(NEURONS[name]())


@pytest.mark.parametrize("model", [LIF, PLIF])
@pytest.mark.parametrize("tau", [1.0, 0.5, -2.0])
def test_refuses_a_time_constant_of_one_step_or_less(model, tau):
    with pytest.raises(ConfigError, match=f"tau: .*greater than 1, got {tau}"):
        model(tau=tau)


@pytest.mark.parametrize("backend", ["eager", "torch", "auto"])
@pytest.mark.parametrize("decay", [True, False], ids=["input", "whole-input"])
def test_plif_starts_as_lif_and_learns_its_leak(decay, backend):
    x = drawn(8 * 3, 5)
    layer = PLIF(tau=3.0, decay_input=decay).build()
    assert [name for name, _ in layer.named_parameters()] == ["leak"]
    with use(backend):
        out = layer(Signal(x, 8, 3)).data
        same = LIF(tau=3.0, decay_input=decay).build()(Signal(x, 8, 3)).data
    assert torch.equal(out, same)
    out.sum().backward()
    before = layer.leak.item()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert layer.leak.item() != before
    d = layer.dynamics()
    share = 1 / (1 + math.exp(-layer.leak.item()))
    keep, gain = (torch.as_tensor(number).item() for number in (d.keep, d.gain))
    assert (keep, gain) == pytest.approx((1 - share, share if decay else 1.0))


@names
def test_leak_that_is_not_learned_is_no_parameter(name):
    layer = NEURONS[name]().build()
    assert len(list(layer.parameters())) == (1 if name == "plif" else 0)
