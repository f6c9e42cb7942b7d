"""Neurons against tables made by hand, on every back end."""

import pytest
import torch
from snn_cases import backends

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import eager, fire, use
from spikedoor.snn.surrogate import Rectangle

CURRENT = [0.5, 1.0, 0.25, 0.25, 2.0]

# h = v / 2 + x + rest / 2; it fires where h >= threshold.
MEMBRANES = {
    "hard": (
        Dynamics(keep=0.5),
        [0.5, 1.25, 0.25, 0.375, 2.1875],
        [0, 1, 0, 0, 1],
    ),
    "soft": (  # v after the spike: 1.25 - 1 = 0.25
        Dynamics(keep=0.5, soft=True),
        [0.5, 1.25, 0.375, 0.4375, 2.21875],
        [0, 1, 0, 0, 1],
    ),
    "rest": (  # starts at rest: -0.25 + 0.5 - 0.25 = 0
        Dynamics(keep=0.5, v_reset=-0.5, initial=-0.5),
        [0.0, 0.75, 0.375, 0.1875, 1.84375],
        [0, 0, 0, 0, 1],
    ),
    "tie": (  # a membrane that reaches the threshold to the last bit fires
        Dynamics(keep=1.0, threshold=1.5),
        [0.5, 1.5, 0.25, 0.5, 2.5],
        [0, 1, 0, 0, 1],
    ),
    "decaying input": (
        Dynamics(keep=0.5, gain=0.5, threshold=0.625),
        [0.25, 0.625, 0.125, 0.1875, 1.09375],
        [0, 1, 0, 0, 1],
    ),
    "start": (
        Dynamics(initial=0.5),
        [1.0, 1.0, 0.25, 0.5, 2.5],
        [1, 1, 0, 0, 1],
    ),
}

on_backends = backends("eager", "torch", "compiled")


@pytest.mark.parametrize("name", MEMBRANES)
def test_membrane(name):
    d, membrane, _ = MEMBRANES[name]
    _, h, _ = eager.trace(torch.tensor(CURRENT).view(5, 1, 1), 5, d)
    assert h.flatten().tolist() == membrane


@on_backends
@pytest.mark.parametrize("name", MEMBRANES)
def test_spikes(name, backend):
    d, _, spikes = MEMBRANES[name]
    with use(backend):
        out = fire(torch.tensor(CURRENT).view(5, 1), 5, 1, d)
    assert out.flatten().tolist() == spikes


# Two steps of an IF neuron at threshold 1, Rectangle(2): the surrogate is 1/2 wherever |z| < 1, and
# each spike's gradient is 1. So dL/dh[1] = 1/2 always, and dL/dh[0] = g/2 + k/2 where k = dv/dh is
# kept by the reset and, where the reset is not detached, g = 1 + (1/2) dv/ds.
GRADIENTS = {
    "hard, silent": ((0.5, 0.25), {}, (1.0, 0.5)),
    "hard, fired": ((1.5, 0.25), {}, (0.5, 0.5)),
    "soft, fired": ((1.5, 0.25), {"soft": True}, (1.0, 0.5)),
    # dv/ds = v_reset - h = -0.5
    "hard, silent, attached": ((0.5, 0.25), {"detach_reset": False}, (0.875, 0.5)),
    # dv/ds = -1.5
    "hard, fired, attached": ((1.5, 0.25), {"detach_reset": False}, (0.125, 0.5)),
    # dv/ds = -threshold
    "soft, fired, attached": ((1.5, 0.25), {"detach_reset": False, "soft": True}, (0.75, 0.5)),
    # dv/ds = -0.25 - 1.5
    "rest, fired, attached": (
        (1.5, 0.5),
        {"detach_reset": False, "v_reset": -0.25},
        (0.0625, 0.5),
    ),
    # spikes of height 3 triple it
    "amplitude": ((0.5, 0.25), {"amplitude": 3.0}, (3.0, 1.5)),
    # h = v/2 + x/4: dL/dh = (1/2 + 1/4, 1/2), and a quarter of it reaches x
    "keep and gain": ((2.0, 1.0), {"keep": 0.5, "gain": 0.25}, (0.1875, 0.125)),
    # threshold 2 halves z and ds/dh: dL/dh = (1/4 + 1/4, 1/4)
    "threshold": ((0.5, 0.25), {"threshold": 2.0}, (0.5, 0.25)),
}


@on_backends
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name, backend):
    current, fields, expected = GRADIENTS[name]
    x = torch.tensor(current).view(2, 1).requires_grad_()
    with use(backend):
        fire(x, 2, 1, Dynamics(surrogate=Rectangle(width=2.0), **fields)).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == list(expected)


@on_backends
@pytest.mark.parametrize(
    ("kind", "out", "grad"),
    [
        ("max", 1.0, [[0, 0.5], [0, 0]]),  # of equal spikes the first in reading order
        ("avg", 0.5, [[0.125, 0.125], [0.125, 0.125]]),
    ],
)
def test_pooling(kind, out, grad, backend):
    x = torch.tensor([[0.5, 1.5, 9.0], [1.5, 0.5, 9.0], [9.0, 9.0, 9.0]]).view(1, 1, 3, 3)
    x.requires_grad_()
    with use(backend):
        spikes = fire(x, 1, 1, Dynamics(surrogate=Rectangle(width=2.0)), pool=kind)
    assert spikes.shape == (1, 1, 1, 1)
    assert spikes.item() == out
    spikes.backward()
    assert x.grad is not None
    assert x.grad[0, 0, :2, :2].tolist() == grad
    assert x.grad[0, 0, 2].tolist() == [0, 0, 0]
    assert x.grad[0, 0, :, 2].tolist() == [0, 0, 0]


@on_backends
def test_max_of_silence_sends_its_gradient_to_the_first(backend):
    x = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    with use(backend):
        fire(x, 1, 1, Dynamics(surrogate=Rectangle(width=2.0)), pool="max").backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [0.5, 0, 0, 0]
