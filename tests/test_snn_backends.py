"""The back ends agree on every kind of layer: spikes to the last bit, gradients to rounding."""

from functools import cache

import pytest
import torch
from snn_cases import CASES, backends, distance, run
from torch import Tensor

from spikedoor.snn.kernels import Backend

MOST = 1e-5

on_backends = backends("torch", "compiled")
cases = pytest.mark.parametrize("name", CASES)


@cache
def outcome(name: str, backend: Backend, dtype: torch.dtype) -> dict[str, Tensor]:
    return run(CASES[name], backend, dtype)


@cases
def test_case_is_worth_its_time(name):
    truth = outcome(name, "eager", torch.float64)
    fires = (truth["out"] > 0).double().mean().item()
    assert 0.05 < fires < 0.98
    assert all(value.norm() > 0 for value in truth.values())


@cases
def test_single_precision_of_the_definition_is_its_double_precision(name):
    truth, found = outcome(name, "eager", torch.float64), outcome(name, "eager", torch.float32)
    assert torch.equal(found["out"] > 0, truth["out"] > 0)
    assert {key: distance(found[key], truth[key]) for key in truth} == pytest.approx(
        dict.fromkeys(truth, 0), abs=MOST
    )


@cases
@on_backends
def test_spikes_equal_the_definition_bit_for_bit(name, backend):
    found = outcome(name, backend, torch.float32)["out"]
    expected = outcome(name, "eager", torch.float32)["out"]
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@cases
@on_backends
def test_gradients_and_statistics_equal_the_definition_in_double_precision(name, backend):
    truth, found = outcome(name, "eager", torch.float64), outcome(name, backend, torch.float32)
    assert found.keys() == truth.keys()
    assert {key: distance(found[key], truth[key]) for key in truth} == pytest.approx(
        dict.fromkeys(truth, 0), abs=MOST
    )


@cases
def test_torch_in_double_precision_is_the_definition(name):
    truth, found = outcome(name, "eager", torch.float64), outcome(name, "torch", torch.float64)
    assert torch.equal(found["out"], truth["out"])
    for key in truth:
        assert found[key].dtype == torch.float64
        assert distance(found[key], truth[key]) < 1e-12
