"""What every neuron model keeps."""

from __future__ import annotations

import copy

import torch

from spikedoor.snn.activations import Spiking
from spikedoor.snn.neurons import Neuron
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import Triangle
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.parts import generator, with_fields

__all__ = ["CHECKS", "check_neuron"]

_RESETS = ("hard", "soft")


def _drawn(*shape: int) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=generator()) + 0.5


def sends_spikes_for_every_step(neuron: Neuron) -> None:
    """It sends spikes alone, in the shape of its input, and passes gradients back to it."""
    for reset in _RESETS:
        for shape in ((5,), (3, 4, 6)):
            layer = with_fields(neuron, reset=reset).build()
            that(isinstance(layer, Spiking), f"build makes a {type(layer).__name__}, no Spiking")
            x = _drawn(4 * 2, *shape).requires_grad_()
            before = x.detach().clone()
            signal = layer(Signal(x, 4, 2))
            that((signal.steps, signal.batch) == (4, 2), "other steps or samples came out")
            that(signal.data.shape == x.shape, f"of {x.shape} came {signal.data.shape}")
            spikes = {-1.0, 0.0, 1.0} if layer.dynamics().signed else {0.0, 1.0}
            found = set(signal.data.unique().tolist())
            that(found == spikes, f"expected values {spikes}, got {found}")
            signal.data.sum().backward()
            that(x.grad is not None and x.grad.abs().sum() > 0, "no gradient reaches the input")
            that(torch.equal(x, before), "the input was changed")


def constant_input_comes_once_and_goes_out_at_every_step(neuron: Neuron) -> None:
    """Input that is given once counts at every step."""
    layer, x = neuron.build(), _drawn(2, 5)
    once, often = layer(Signal(x, 6, 2)), layer(Signal(x.repeat(6, 1), 6, 2))
    that(torch.equal(once.data, often.data), "it differs from the same input given at each step")


def stays_silent_at_rest(neuron: Neuron) -> None:
    """Without input it does not fire."""
    for reset in _RESETS:
        for rest in (0.0, -0.5, 0.5):
            layer = with_fields(neuron, reset=reset, v_reset=rest).build()
            silent = layer(Signal(torch.zeros(1, 3), 50, 1)).data.abs().sum() == 0
            that(silent, f"spikes with {reset} reset and v_reset = {rest}")


def never_fires_more_often_for_less_current(neuron: Neuron) -> None:
    """Its rate grows with a constant current, from none to one spike a step."""
    for reset in _RESETS:
        layer = with_fields(neuron, reset=reset).build()
        current = torch.linspace(-1, 6, 200).view(1, -1)
        counts = layer(Signal(current, 32, 1)).over_time().sum((0, 1))
        that((counts.diff() >= 0).all(), f"the count falls with {reset} reset")
        ends = counts[0].item(), counts[-1].item()
        that(ends == (0, 32), f"from {ends[0]:g} to {ends[1]:g} spikes in 32 steps")


def steps_do_not_look_ahead_and_samples_do_not_meet(neuron: Neuron) -> None:
    """What comes later, or in another sample, changes nothing."""
    layer, x = neuron.build(), _drawn(6, 3, 5)
    whole = layer(Signal(x.flatten(0, 1), 6, 3)).over_time()
    first = layer(Signal(x[:4].flatten(0, 1), 4, 3)).over_time()
    alone = layer(Signal(x[:, 1:2].flatten(0, 1), 6, 1)).over_time()
    that(torch.equal(first, whole[:4]), "later steps change earlier ones")
    that(torch.equal(alone, whole[:, 1:2]), "samples of a batch meet")


def a_second_call_starts_afresh(neuron: Neuron) -> None:
    """Nothing is left of a call in the next."""
    layer, x = neuron.build(), _drawn(6 * 2, 5)
    same = torch.equal(layer(Signal(x, 6, 2)).data, layer(Signal(x, 6, 2)).data)
    that(same, "a second call gives other spikes")


def numbers_travel_with_the_weights(neuron: Neuron) -> None:
    """Threshold, height and start of a layer are in its state, and go with it."""
    one, other = neuron.build(), neuron.build()
    one.threshold.fill_(0.3)
    one.amplitude.fill_(0.3)
    one.initial.fill_(0.15)
    x = _drawn(4 * 2, 5)
    expected = one(Signal(x, 4, 2)).data
    that(not torch.equal(expected, other(Signal(x, 4, 2)).data), "they have no effect")
    other.load_state_dict(one.state_dict())
    that(torch.equal(expected, other(Signal(x, 4, 2)).data), "another layer with the state differs")
    that(torch.equal(expected, copy.deepcopy(one)(Signal(x, 4, 2)).data), "a copy differs")


def fields_reach_the_dynamics(neuron: Neuron) -> None:
    """The fields that all neurons have decide its dynamics."""
    fields = {"threshold": 0.75, "reset": "soft", "v_reset": 0.25, "detach_reset": False}
    d = with_fields(neuron, **fields, surrogate=Triangle()).build().dynamics()
    that((d.threshold, d.amplitude, d.soft) == (0.75, 1.0, True), "threshold or reset")
    that((d.v_reset, d.initial, d.detach_reset) == (0.25, 0.25, False), "rest or detach_reset")
    that(d.surrogate == Triangle(), "surrogate")


def refuses_what_is_no_neuron(neuron: Neuron) -> None:
    """A threshold of 0, an unknown reset or surrogate, and a rest above the threshold are refused.

    The last would fire at every step without input.
    """
    wrong = [
        ({"threshold": 0.0}, "threshold: .*greater than 0.*got 0.0"),
        ({"threshold": float("inf")}, "threshold: "),
        ({"reset": "gentle"}, "reset: .*'hard' or 'soft'.*'gentle'"),
        ({"surrogate": "atn"}, "surrogate: .*'atn'; did you mean 'atan'"),
        ({"v_reset": 2.0, "threshold": 1.0}, "v_reset"),
        ({"v_reset": 1.0, "threshold": 1.0}, "v_reset"),
        ({"v_reset": 0.25, "threshold": 0.2}, "v_reset"),
    ]
    for fields, found in wrong:
        with refused(str(fields), f"{neuron.name}: .*{found}"):
            with_fields(neuron, **fields)


CHECKS: tuple[Check, ...] = (
    sends_spikes_for_every_step,
    constant_input_comes_once_and_goes_out_at_every_step,
    stays_silent_at_rest,
    never_fires_more_often_for_less_current,
    steps_do_not_look_ahead_and_samples_do_not_meet,
    a_second_call_starts_afresh,
    numbers_travel_with_the_weights,
    fields_reach_the_dynamics,
    refuses_what_is_no_neuron,
)


def check_neuron(member: Neuron | type[Neuron]) -> None:
    """Check what neuron models keep.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Neuron))
