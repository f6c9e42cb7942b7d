"""An input that is constant over time gives what the same input repeated gives."""

from dataclasses import replace

import pytest
import torch
from snn_cases import CASES, backends, distance, draw, run
from torch import Tensor

on_backends = backends("eager", "torch", "compiled")
CONSTANT = [name for name, case in CASES.items() if case.constant]
MOMENTUM = 0.1


def both(name: str, backend: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    case = CASES[name]
    once = draw(case)
    repeated = once.repeat(case.steps, *[1] * (once.dim() - 1))
    return run(case, backend, x=once), run(replace(case, constant=False), backend, x=repeated)


@on_backends
@pytest.mark.parametrize("name", CONSTANT)
def test_same_spikes_and_gradients(name, backend):
    constant, repeated = both(name, backend)
    assert torch.equal(constant["out"], repeated["out"])
    repeated["x"] = repeated["x"].unflatten(0, (CASES[name].steps, -1)).sum(0)
    for key in constant.keys() - {"out", "running_var"}:
        assert distance(constant[key], repeated[key]) < 1e-5, key


@on_backends
@pytest.mark.parametrize("name", [name for name in CONSTANT if CASES[name].norm == "train"])
def test_running_variance_counts_a_constant_batch_once(name, backend):
    """Both estimate from the biased variance ``v``: ``v n / (n - 1)``, with n values or T n."""
    constant, repeated = both(name, backend)
    case = CASES[name]
    x = draw(case).double()
    n = x.numel() // case.shape[0]
    dims = [d for d in range(x.dim()) if d != 1]
    start = 2 - torch.linspace(0, 1, case.shape[0]).double()
    for found, count in ((constant, n), (repeated, case.steps * n)):
        estimate = x.var(dims, correction=0) * count / (count - 1)
        expected = (1 - MOMENTUM) * start + MOMENTUM * estimate
        assert distance(found["running_var"], expected) < 1e-6
    assert distance(constant["running_var"], repeated["running_var"]) > 1e-5
