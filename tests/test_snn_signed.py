"""Signed neurons: by hand, against a plain loop, and what they are for."""

import pytest
import torch
from snn_cases import backends

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import carry, fire, use
from spikedoor.snn.neurons import IF, SignedIF
from spikedoor.snn.signal import Signal

SOFT = Dynamics(soft=True, signed=True)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)) + 0.2


def by_loop(currents: list[float], threshold: float) -> list[int]:
    membrane, sent, spikes = 0.0, 0, []
    for current in currents:
        membrane += current
        spike = int(membrane >= threshold)
        if membrane <= -threshold and sent > 0:
            spike = -1
        membrane -= threshold * spike
        sent += spike
        spikes.append(spike)
    return spikes


def test_takes_back_no_more_than_it_sent():
    x = torch.tensor([1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 0.0, 2.0]).view(8, 1)
    # Membranes before reset: 1, 1, -1, -1, -1, -2, -2, 0; after two spikes back there is none.
    assert fire(x, 8, 1, SOFT).flatten().tolist() == [1, 1, -1, -1, 0, 0, 0, 0]


@pytest.mark.parametrize("threshold", [1.0, 0.375])
def test_is_a_plain_loop(threshold):
    x = drawn(40, 1, 50)
    d = Dynamics(soft=True, signed=True, threshold=threshold, amplitude=threshold)
    found = fire(x.flatten(0, 1), 40, 1, d) / threshold
    # The same sums, in double precision; the seed leaves none within rounding of a threshold.
    expected = [by_loop(x[:, 0, i].double().tolist(), threshold) for i in range(50)]
    assert found.T.round().int().tolist() == expected


def test_pieces_put_together_are_the_whole_run():
    x = drawn(12, 3, 5)
    whole = fire(x.flatten(0, 1), 12, 3, SOFT)
    state, parts = None, []
    for piece in x.split(5):
        out, state = carry(piece.flatten(0, 1), len(piece), 3, SOFT, state)
        parts.append(out)
    assert torch.equal(torch.cat(parts), whole)


def test_early_spikes_do_not_stay_where_the_mean_current_is_negative():
    """A unit whose current is large at first and negative later, -0.5 in all: ReLU gives 0."""
    x = torch.tensor([2.0, 2.0, -1.5, -1.5, -1.0, -0.5]).view(6, 1)
    plain, signed = (n(reset="soft").build()(Signal(x, 6, 1)) for n in (IF, SignedIF))
    assert plain.data.sum() == 2
    assert signed.data.sum() == 0


@backends("eager", "torch", "compiled")
def test_gradients_reach_the_input_from_both_thresholds(backend):
    x = torch.tensor([1.0, -2.0]).view(2, 1).requires_grad_()
    with use(backend):
        out = fire(x, 2, 1, SOFT)
    assert out.flatten().tolist() == [1, -1]
    out[1].sum().backward()
    # Arc tangent: z = -1 - 2 = -3 above, and 2 - 1 = 1 below, each with slope 1 / (1 + (pi z)^2).
    slope = sum(1 / (1 + (torch.pi * z) ** 2) for z in (3, 1))
    assert x.grad.flatten().tolist() == pytest.approx([slope, slope])
