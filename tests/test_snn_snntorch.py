"""Neurons against snnTorch's Leaky, step by step, in double precision.

Leaky is ``u = beta u + x``: our dynamics with ``keep = beta`` and ``gain = 1``. With its default
reset, at the start of the next step and detached, "zero" is our hard reset; "subtract" takes the
threshold off after the decay, which is ours only without leak. With ``reset_delay=False`` it resets
at once, with gradient, which is ours wherever one subtraction brings the membrane below threshold.
Its spikes, and so the gradients that pass them, are single precision at any precision of the input.
"""

import pytest
import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import eager, torchop
from spikedoor.snn.surrogate import ATan

snntorch = pytest.importorskip("snntorch", reason="snnTorch is an oracle only; see pyproject.toml")

STEPS, BATCH, WIDTH = 15, 3, 40

ours = pytest.mark.parametrize("fire", [eager.fire, torchop.fire], ids=["eager", "torch"])


def drawn(seed: int) -> Tensor:
    """Draw from [-0.3, 1): below the threshold, so that no spike leaves more than it."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(STEPS, BATCH, WIDTH, generator=generator, dtype=torch.float64)
    return 1.3 * uniform - 0.3


def theirs(x: Tensor, beta: float, reset: str, delay: bool) -> Tensor:
    leaky = snntorch.Leaky(
        beta=beta,
        reset_mechanism=reset,
        reset_delay=delay,
        spike_grad=snntorch.surrogate.atan(alpha=2.0),
    ).double()
    membrane, spikes = torch.zeros_like(x[0]), []
    for current in x:
        spike, membrane = leaky(current, membrane)
        spikes.append(spike)
    return torch.stack(spikes)


@ours
@pytest.mark.parametrize(
    ("beta", "reset", "delay"),
    [
        (0.875, "zero", True),
        (0.5, "zero", True),
        (1.0, "zero", True),
        (1.0, "subtract", True),
        (0.875, "subtract", False),
        (0.5, "subtract", False),
        (0.875, "zero", False),
    ],
)
def test_spikes_and_gradients(beta, reset, delay, fire):
    d = Dynamics(keep=beta, soft=reset == "subtract", detach_reset=delay, surrogate=ATan(alpha=2.0))
    expected_x, found_x = drawn(0).requires_grad_(), drawn(0).requires_grad_()
    expected, found = theirs(expected_x, beta, reset, delay), fire(found_x, STEPS, d)
    assert torch.equal(found, expected.double())
    assert 0.1 < found.mean() < 0.9
    upstream = drawn(1)
    expected.backward(upstream.to(expected.dtype))
    found.backward(upstream)
    torch.testing.assert_close(found_x.grad, expected_x.grad, rtol=1e-4, atol=1e-6)
