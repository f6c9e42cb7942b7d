"""Firing under a constant current, against closed forms."""

import math

import pytest
import torch

from spikedoor.snn.kernels import use
from spikedoor.snn.neurons import IF, LIF, PLIF, Neuron
from spikedoor.snn.signal import Signal

STEPS = 200


def times(neuron: Neuron, current: float, steps: int = STEPS) -> list[int]:
    """Return the steps, counted from 1, at which a neuron fires."""
    out = neuron.build()(Signal(torch.full((1, 1), current), steps, 1))
    return (out.data.flatten().nonzero().flatten() + 1).tolist()


def every(period: int) -> list[int]:
    return list(range(period, STEPS + 1, period))


@pytest.mark.parametrize("current", [0.04, 0.11, 0.3, 0.49, 0.77, 1.3])
@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.5])
def test_if_with_hard_reset_fires_every_threshold_over_current_steps(current, threshold):
    """``n x >= threshold`` first holds at ``n = ceil(threshold / x)``."""
    period = math.ceil(threshold / current)
    assert times(IF(threshold=threshold), current) == every(period)


@pytest.mark.parametrize("current", [1.01, 1.1, 1.3, 1.9, 5.0])
@pytest.mark.parametrize("tau", [1.5, 2.0, 7.0])
@pytest.mark.parametrize("model", [LIF, PLIF])
def test_lif_period(model, tau, current):
    """``x (1 - k^n) >= threshold`` with ``k = 1 - 1/tau``: ``n = ceil(ln(1 - 1/x) / ln k)``."""
    period = math.ceil(math.log(1 - 1 / current) / math.log(1 - 1 / tau))
    assert times(model(tau=tau), current) == every(period)


@pytest.mark.parametrize("current", [0.4, 0.55, 0.7, 1.6])
@pytest.mark.parametrize("tau", [3.0, 7.0])
@pytest.mark.parametrize("model", [LIF, PLIF])
def test_lif_period_with_whole_input(model, tau, current):
    """The same with ``tau x`` for ``x``."""
    period = math.ceil(math.log(1 - 1 / (tau * current)) / math.log(1 - 1 / tau))
    assert times(model(tau=tau, decay_input=False), current) == every(period)


@pytest.mark.parametrize("rest", [-0.5, 0.25])
def test_lif_period_between_rest_and_threshold(rest):
    """``rest + x (1 - k^n) >= threshold``: a neuron starts from rest and returns to it."""
    current, tau = 1.7, 5.0
    period = math.ceil(math.log(1 - (1 - rest) / current) / math.log(1 - 1 / tau))
    assert times(LIF(tau=tau, v_reset=rest), current) == every(period)


@pytest.mark.parametrize("current", [0.5, 0.97])
def test_lif_below_its_rheobase_is_silent(current):
    """The membrane tends to ``x`` from below."""
    assert times(LIF(tau=4.0), current, 2000) == []


@pytest.mark.parametrize("numerator", [1, 3, 13, 40, 63, 64])
@pytest.mark.parametrize("threshold", [1.0, 0.75])
def test_if_with_soft_reset_loses_nothing(numerator, threshold):
    """After ``t`` steps it has fired ``floor(t x / threshold)`` times, as no charge is lost."""
    current = threshold * numerator / 64
    found = times(IF(threshold=threshold, reset="soft"), current)
    counts = [sum(time <= t for time in found) for t in range(1, STEPS + 1)]
    assert counts == [t * numerator // 64 for t in range(1, STEPS + 1)]


@pytest.mark.parametrize("backend", ["eager", "torch", "auto"])
def test_rate_of_soft_reset_if_tends_to_a_clipped_rectifier(backend):
    """``|rate - clip(x / threshold, 0, 1)| <= 1 / T``, the ground of conversion."""
    current, threshold = torch.linspace(-0.5, 2.0, 101).view(1, -1), 1.6
    neuron = IF(threshold=threshold, reset="soft").build()
    expected = (current / threshold).clamp(0, 1)
    for steps in (4, 32, 256):
        with use(backend):
            rate = neuron(Signal(current, steps, 1)).over_time().mean(0)
        assert (rate - expected).abs().max() <= 1 / steps + 1e-4


def test_hard_reset_loses_charge():
    """At ``x = 0.6`` it fires every second step, a rate of 0.5 however long it runs."""
    assert len(times(IF(), 0.6)) == STEPS // 2
    assert len(times(IF(reset="soft"), 0.6)) == pytest.approx(0.6 * STEPS, abs=1)
