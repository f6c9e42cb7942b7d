"""What `trace` shows is what `carry` computes, to the last bit."""

import math
from dataclasses import replace

import pytest
import torch
from snn_cases import CASES, backends, draw, needs_kernel
from test_snn_pieces import WHOLE, norm_of

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import carry, pool_frames, trace, use


@pytest.mark.parametrize("name", WHOLE)
@backends("eager", "torch", "compiled")
@pytest.mark.parametrize("signed", [False, True])
def test_the_spikes_of_pieces(name, backend, signed):
    case, norm = CASES[name], norm_of(CASES[name])
    x = draw(case)
    d = replace(case.dynamics, signed=signed)
    with use(backend), torch.no_grad():
        sent = seen = None
        for part in (x, x.flip(0)):
            seen_before = None if seen is None else seen.clone()
            out, sent = carry(part, case.steps, case.batch, d, sent, norm, case.pool)
            found = trace(part, case.steps, case.batch, d, seen, norm)
            assert torch.equal(
                pool_frames((found.spikes * d.amplitude).flatten(0, 1), case.pool), out
            )
            assert found.current.shape == found.membrane.shape == found.spikes.shape
            if seen is not None:
                assert torch.equal(seen, seen_before)
            seen = found.state
            if case.pool is None:
                assert torch.equal(seen, sent)


@needs_kernel
@pytest.mark.parametrize("shape", [(24, 5, 3), (35,)])
def test_the_current_is_the_kernels_own(shape):
    """A neuron whose threshold is its current to the last bit fires; one bit above it does not."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, *shape, generator=generator)
    norm = norm_of(replace(CASES["ties"], shape=shape, norm="eval"))
    with use("compiled"), torch.no_grad():
        norm.running_var.uniform_(0.3, 1.7, generator=generator)
        current = trace(x, 1, 1, Dynamics(), norm=norm).current[0]
        for level in current[current > 0][:40].tolist():
            above = torch.tensor(level).nextafter(torch.tensor(math.inf)).item()
            for threshold in (level, above):
                d = Dynamics(threshold=threshold)
                spikes, _ = carry(x, 1, 1, d, None, norm)
                assert torch.equal(spikes[0] > 0, current[0] >= threshold)
            assert (current == level).any()
