"""What every neuron keeps."""

import copy
import math

import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.snn.kernels import use
from spikedoor.snn.neurons import LIF, NEURONS, PLIF, Neuron
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import SURROGATES, Triangle

names = pytest.mark.parametrize("name", NEURONS.names())
resets = pytest.mark.parametrize("reset", ["hard", "soft"])
SHAPES = pytest.mark.parametrize("shape", [(5,), (3, 4, 6)], ids=["vectors", "maps"])


def drawn(*shape: int) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 0.5


@SHAPES
@resets
@names
def test_sends_spikes_for_every_step(name, reset, shape):
    layer = NEURONS[name](reset=reset).build()
    assert isinstance(layer, Spiking)
    x = drawn(4 * 2, *shape).requires_grad_()
    before = x.detach().clone()
    signal = layer(Signal(x, 4, 2))
    assert (signal.steps, signal.batch) == (4, 2)
    assert signal.data.shape == x.shape
    spikes = {-1.0, 0.0, 1.0} if name == "signed-if" else {0.0, 1.0}
    assert set(signal.data.unique().tolist()) == spikes
    signal.data.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert torch.equal(x, before)


@names
def test_constant_input_comes_once_and_goes_out_at_every_step(name):
    layer = NEURONS[name]().build()
    x = drawn(2, 5)
    once, often = layer(Signal(x, 6, 2)), layer(Signal(x.repeat(6, 1), 6, 2))
    assert torch.equal(once.data, often.data)


@resets
@names
def test_stays_silent_at_rest(name, reset):
    for rest in (0.0, -0.5, 0.5):
        layer = NEURONS[name](reset=reset, v_reset=rest).build()
        assert layer(Signal(torch.zeros(1, 3), 50, 1)).data.sum() == 0


@resets
@names
def test_never_fires_more_often_for_less_current(name, reset):
    layer = NEURONS[name](reset=reset).build()
    current = torch.linspace(-1, 6, 200).view(1, -1)
    counts = layer(Signal(current, 32, 1)).over_time().sum((0, 1))
    assert (counts.diff() >= 0).all()
    assert counts[0] == 0
    assert counts[-1] == 32


@names
def test_steps_do_not_look_ahead_and_samples_do_not_meet(name):
    layer = NEURONS[name]().build()
    x = drawn(6, 3, 5)
    whole = layer(Signal(x.flatten(0, 1), 6, 3)).over_time()
    first = layer(Signal(x[:4].flatten(0, 1), 4, 3)).over_time()
    alone = layer(Signal(x[:, 1:2].flatten(0, 1), 6, 1)).over_time()
    assert torch.equal(first, whole[:4])
    assert torch.equal(alone, whole[:, 1:2])


@names
def test_a_second_call_starts_afresh(name):
    layer = NEURONS[name]().build()
    x = drawn(6 * 2, 5)
    assert torch.equal(layer(Signal(x, 6, 2)).data, layer(Signal(x, 6, 2)).data)


@names
def test_numbers_travel_with_the_weights(name):
    neuron = NEURONS[name]()
    one, other = neuron.build(), neuron.build()
    one.threshold.fill_(0.3)
    one.amplitude.fill_(0.3)
    one.initial.fill_(0.15)
    x = drawn(4 * 2, 5)
    assert not torch.equal(one(Signal(x, 4, 2)).data, other(Signal(x, 4, 2)).data)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(Signal(x, 4, 2)).data, other(Signal(x, 4, 2)).data)
    assert torch.equal(copy.deepcopy(one)(Signal(x, 4, 2)).data, one(Signal(x, 4, 2)).data)


@names
def test_fields_reach_the_dynamics(name):
    neuron = NEURONS[name](
        threshold=0.75, reset="soft", v_reset=0.25, detach_reset=False, surrogate=Triangle()
    )
    d = neuron.build().dynamics()
    assert (d.threshold, d.amplitude, d.soft) == (0.75, 1.0, True)
    assert (d.v_reset, d.initial, d.detach_reset) == (0.25, 0.25, False)
    assert d.surrogate == Triangle()


@names
def test_configuration_round_trip(name):
    for fields in ({}, {"reset": "soft", "surrogate": Triangle(gamma=2.0)}):
        neuron = NEURONS[name](**fields)
        plain = neuron.to_dict()
        assert plain["name"] == name
        assert plain["surrogate"]["name"] in SURROGATES.names()
        assert Neuron.from_dict(plain) == neuron
    assert Neuron.from_dict(name) == NEURONS[name]()
    assert NEURONS[name].summary().endswith(".")


@names
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"threshold": 0.0}, "threshold: .*greater than 0.*got 0.0"),
        ({"threshold": float("inf")}, "threshold: "),
        ({"reset": "gentle"}, "reset: .*'hard' or 'soft'.*'gentle'"),
        ({"surrogate": "atn"}, "surrogate: .*'atn'; did you mean 'atan'"),
        ({"treshold": 1.0}, "treshold: unknown key; did you mean 'threshold'"),
    ],
    ids=str,
)
def test_refuses_what_is_no_neuron(name, fields, found):
    with pytest.raises(ConfigError, match=f"{name}: .*{found}"):
        NEURONS[name](**fields)


@names
@pytest.mark.parametrize(("rest", "threshold"), [(2.0, 1.0), (1.0, 1.0), (0.25, 0.2)])
def test_refuses_a_rest_that_does_not_lie_below_the_threshold(name, rest, threshold):
    """Such a neuron would fire at every step without input."""
    with pytest.raises(ConfigError, match=f"{name}: .*v_reset"):
        NEURONS[name](v_reset=rest, threshold=threshold)


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
