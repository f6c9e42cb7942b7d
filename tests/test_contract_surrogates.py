"""What every surrogate keeps, and the stated formulas at points worked out by hand."""

import math

import pytest
import torch
from snn_cases import backends

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import fire, use
from spikedoor.snn.surrogate import (
    STDB,
    SURROGATES,
    ATan,
    Linear,
    Rectangle,
    Sigmoid,
    Triangle,
)
from spikedoor.testing.surrogates import CHECKS

LITERALS = [
    (ATan(), {0.0: 1.0, 1 / math.pi: 0.5, -1 / math.pi: 0.5, 3 / math.pi: 0.1}),
    (ATan(alpha=4.0), {0.0: 2.0, 0.5 / math.pi: 1.0, -1 / math.pi: 0.4}),
    (Triangle(), {0.0: 1.0, 0.25: 0.75, -0.5: 0.5, 1.0: 0.0, -7.0: 0.0}),
    (Triangle(gamma=2.0), {0.0: 0.5, 1.0: 0.25, -1.5: 0.125, 2.5: 0.0}),
    (Linear(), {0.0: 0.3, 0.5: 0.15, -0.9: 0.03, 1.0: 0.0, -2.0: 0.0}),
    (Linear(gamma=2.0), {0.0: 2.0, -0.75: 0.5, 1.5: 0.0}),
    (Rectangle(), {0.0: 1.0, 0.49: 1.0, -0.49: 1.0, 0.5: 0.0, -0.5: 0.0, 3.0: 0.0}),
    (Rectangle(width=4.0), {0.0: 0.25, 1.9: 0.25, -1.9: 0.25, 2.0: 0.0}),
    # s = 3/4 where alpha z = ln 3, 1/5 where alpha z = -ln 4
    (Sigmoid(), {0.0: 1.0, math.log(3) / 4: 0.75, -math.log(4) / 4: 0.64}),
    (Sigmoid(alpha=1.0), {0.0: 0.25, math.log(3): 0.1875, -math.log(4): 0.16}),
]

# Each with its default, and with a small and a large value of its parameter.
MEMBERS = {
    f"{name} {fields}": SURROGATES.parse({"name": name, **fields})
    for name in SURROGATES.names()
    for field in SURROGATES[name].model_fields
    for fields in ({}, {field: 0.5}, {field: 6.0})
}
members = pytest.mark.parametrize("key", MEMBERS)
of_membrane = pytest.mark.parametrize("key", [k for k, s in MEMBERS.items() if not s.timed])


@pytest.mark.parametrize(("surrogate", "table"), LITERALS, ids=lambda value: repr(value)[:24])
def test_formula(surrogate, table):
    z = torch.tensor(list(table), dtype=torch.float64)
    expected = torch.tensor(list(table.values()), dtype=torch.float64)
    torch.testing.assert_close(surrogate.derivative(z), expected, rtol=1e-12, atol=1e-12)


def test_every_member_has_a_table():
    assert {surrogate.name for surrogate, _ in LITERALS} | {"stdb"} == set(SURROGATES.names())


def test_spike_timing():
    since = torch.tensor([1.0, 10.0, math.inf])
    found = STDB(alpha=0.5, beta=0.1).derivative(torch.tensor([-3.0, 0.0, 2.0]), since)
    torch.testing.assert_close(found, torch.tensor([0.5 * math.exp(-0.1), 0.5 * math.exp(-1), 0.0]))


@backends("eager", "torch")
def test_spike_timing_counts_steps_since_the_last_spike(backend):
    """An IF neuron that fires at steps 1 and 4 of 6 (from 0), with the slopes by hand."""
    x = torch.tensor([0.0, 1.0, 0.25, 0.25, 0.5, 0.0]).view(6, 1).requires_grad_()
    rule = STDB(alpha=0.5, beta=0.1)
    with use(backend):
        out = fire(x, 6, 1, Dynamics(soft=True, surrogate=rule))
    assert out.flatten().tolist() == [0, 1, 0, 0, 1, 0]
    out.sum().backward()
    slopes = [0, 0, *(0.5 * math.exp(-0.1 * since) for since in (1, 2, 3, 1))]
    # Without leak, and with gradients kept out of the reset, x[t] moves every later membrane.
    expected = [sum(slopes[t:]) for t in range(6)]
    torch.testing.assert_close(x.grad.flatten(), torch.tensor(expected))


@of_membrane
def test_is_the_density_of_a_step(key):
    """Its integral is 1, the height of the step it stands in for; gamma for the damped one."""
    surrogate = MEMBERS[key]
    area = surrogate.gamma if isinstance(surrogate, Linear) else 1
    z = torch.linspace(-9, 9, 200_001, dtype=torch.float64).sinh()  # fine near 0, out to 4000
    assert torch.trapezoid(surrogate.derivative(z), z).item() == pytest.approx(area, rel=1e-3)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@members
def test_surrogate(key, check):
    check(MEMBERS[key])
