"""Half precision on the way in and out, single precision inside.

Input and spikes are bfloat16, whose numbers have 8 significant bits: rounding moves a number by
``2 ** -8`` of its size at most, and neighbours are ``2 ** -7`` apart at most. A gradient is rounded
on its way out, and once more between neuron and norm.
"""

from dataclasses import replace

import pytest
import torch
from snn_cases import CASES, backends, distance, draw, needs_kernel, run
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import fire, use

ROUNDING = 2**-8
PLAIN = ["if", "if-vector", "lif-soft", "lif-attached", "triangle", "constant", "one-step-vector"]
TIES = [name for name, case in CASES.items() if case.exact and case.leak is None]
NORMED = ["norm", "norm-vector", "norm-max-17x17", "norm-eval-max", "constant-norm-max", "norm-avg"]


def with_short_spikes(name: str):
    """Take a spike height that bfloat16 holds."""
    case = CASES[name]
    return replace(case, dynamics=replace(case.dynamics, amplitude=1.25))


def halves(case) -> Tensor:
    return draw(case, torch.bfloat16)


@needs_kernel
@pytest.mark.parametrize("name", PLAIN + TIES)
def test_compiled_equals_torch(name):
    case = with_short_spikes(name)
    x = halves(case)
    expected, found = run(case, "torch", x=x), run(case, "compiled", x=x)
    assert found["out"].dtype == found["x"].dtype == torch.bfloat16
    assert torch.equal(found["out"], expected["out"])
    torch.testing.assert_close(found["x"], expected["x"], rtol=2 * ROUNDING, atol=1e-7)
    assert (found["x"] != expected["x"]).float().mean() < 0.01


@pytest.mark.parametrize("name", PLAIN + TIES)
@backends("torch", "compiled")
def test_inside_is_single_precision(name, backend):
    case = with_short_spikes(name)
    x = halves(case)
    wide, found = run(case, "eager", x=x.float()), run(case, backend, x=x)
    assert torch.equal(found["out"].float(), wide["out"])
    assert distance(found["x"], wide["x"]) < ROUNDING


@needs_kernel
@pytest.mark.parametrize("name", NORMED)
def test_compiled_norm_is_single_precision_too(name):
    case = with_short_spikes(name)
    x = halves(case)
    wide, found = run(case, "eager", x=x.float()), run(case, "compiled", x=x)
    assert torch.equal(found["out"].float(), wide["out"])
    assert distance(found["x"], wide["x"]) < 2 * ROUNDING
    for key in ("weight", "bias", "running_mean", "running_var"):
        assert found[key].dtype == torch.float32
        assert distance(found[key], wide[key]) < 1e-5


@needs_kernel
@pytest.mark.parametrize("name", NORMED)
def test_torch_norm_rounds_and_so_flips_few_spikes(name):
    """Torch rounds the norm's output to bfloat16, which moves a current by 0.4 % at most."""
    case = with_short_spikes(name)
    x = halves(case)
    rounded, found = run(case, "torch", x=x), run(case, "compiled", x=x)
    assert (rounded["out"] != found["out"]).float().mean() < 0.01


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [
        ("torch", torch.float16),
        ("torch", torch.bfloat16),
        ("eager", torch.bfloat16),
        pytest.param("compiled", torch.bfloat16, marks=needs_kernel),
    ],
    ids=str,
)
def test_long_sums_of_small_currents_are_kept(backend, dtype):
    """1000 steps of 2^-10: in half precision the sum would stop growing on the way."""
    x = torch.full((1, 4), 2.0**-10, dtype=dtype)
    with use(backend):
        spikes = fire(x, 1024, 1, Dynamics())
    assert spikes.dtype == dtype
    assert spikes.nonzero()[:, 0].unique().tolist() == [1023]
