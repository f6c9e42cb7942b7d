"""Spiking layers with their inputs, for the tests that run one layer in several ways."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import Backend, Pool, compiled, eager, fire, use
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.surrogate import STDB, ATan, Linear, Rectangle, Sigmoid, Triangle

__all__ = ["CASES", "Case", "backends", "distance", "draw", "needs_kernel", "run"]

needs_kernel = pytest.mark.skipif(not compiled.available(), reason="kernel was not built")

CLEAR = 1e-5
"""Distance to the threshold, in thresholds, that rounding in single precision does not bridge."""


def backends(*names: Backend) -> pytest.MarkDecorator:
    """Run a test on these back ends, without the compiled one where it was not built."""
    marked = [pytest.param(n, marks=needs_kernel) if n == "compiled" else n for n in names]
    return pytest.mark.parametrize("backend", marked)


@dataclass(frozen=True)
class Case:
    """A layer: the shape of a sample, its neuron, and what is fused with it.

    Args:
        exact: Input on a grid of quarters, so that every sum is exact in single precision and
            neurons reach their threshold to the last bit. Otherwise no membrane is near it.
        leak: Learn the leak, from here (PLIF).
    """

    shape: tuple[int, ...] = (16, 6, 6)
    dynamics: Dynamics = field(default_factory=lambda: Dynamics(keep=0.5, gain=0.5))
    steps: int = 4
    batch: int = 2
    constant: bool = False
    norm: Literal["train", "eval"] | None = None
    pool: Pool | None = None
    exact: bool = False
    leak: float | None = None
    decay_input: bool = True

    @property
    def frames(self) -> int:
        return self.batch if self.constant else self.steps * self.batch


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _norm(case: Case, dtype: torch.dtype) -> BatchNorm | None:
    if case.norm is None:
        return None
    norm = BatchNorm(case.shape[0])
    ramp = torch.linspace(0, 1, case.shape[0])
    with torch.no_grad():
        norm.weight.copy_(0.8 + ramp)
        norm.bias.copy_(0.5 - ramp)
        norm.running_mean.copy_(0.2 * ramp)
        norm.running_var.copy_(2 - ramp)
    return norm.train(case.norm == "train").to(dtype)


def _neuron(case: Case, dtype: torch.dtype) -> tuple[Dynamics, nn.Parameter | None]:
    if case.leak is None:
        return case.dynamics, None
    leak = nn.Parameter(torch.tensor(case.leak, dtype=dtype))
    share = torch.sigmoid(leak)
    return replace(case.dynamics, keep=1 - share, gain=share if case.decay_input else 1.0), leak


@cache
def draw(case: Case, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw the input of a case, channels last."""
    for seed in range(50):
        x = 1.5 * torch.randn((case.frames, *case.shape), generator=_generator(seed)) + 0.3
        if x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        x = ((4 * x).round() / 4 if case.exact else x).to(dtype)
        if case.exact or _clearance(case, x) > CLEAR:
            return x
    raise ValueError("every draw has a membrane at its threshold; make the case smaller")


@torch.no_grad()
def _clearance(case: Case, x: Tensor) -> float:
    d, _ = _neuron(case, torch.float64)
    norm, x = _norm(case, torch.float64), x.double()
    current = norm(x) if norm is not None else x
    _, h, _ = eager.trace(current.unflatten(0, (-1, case.batch)), case.steps, d)
    return ((h - d.threshold) / d.threshold).abs().min().item()


def run(
    case: Case, backend: Backend, dtype: torch.dtype = torch.float32, x: Tensor | None = None
) -> dict[str, Tensor]:
    """Run a layer forth and back; return its output and all that it changes or has gradients of.

    Args:
        dtype: Precision of parameters, and of the input where ``x`` is not given.
        x: Input in place of the drawn one.
    """
    x = (draw(case).to(dtype) if x is None else x).detach().requires_grad_()
    d, leak = _neuron(case, dtype)
    norm = _norm(case, dtype)
    with use(backend):
        out = fire(x, case.steps, case.batch, d, norm, case.pool)
    grad = torch.randn(out.shape, generator=_generator(99)).to(torch.bfloat16).to(x.dtype)
    out.backward(grad)
    found: dict[str, Tensor | None] = {"out": out.detach(), "x": x.grad}
    if norm is not None:
        found |= {"weight": norm.weight.grad, "bias": norm.bias.grad}
        found |= {"running_mean": norm.running_mean, "running_var": norm.running_var}
    if leak is not None:
        found["leak"] = leak.grad
    assert all(value is not None for value in found.values()), found
    return {name: value for name, value in found.items() if value is not None}


def distance(a: Tensor, b: Tensor) -> float:
    """Return the distance of ``a`` from ``b`` in units of ``b``'s length."""
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


def _cases() -> dict[str, Case]:
    hard = Dynamics(keep=0.6, gain=0.4, threshold=0.7, amplitude=1.3)
    soft = replace(hard, soft=True)
    attached, attached_soft = replace(hard, detach_reset=False), replace(soft, detach_reset=False)
    resting = replace(hard, v_reset=-0.2, initial=-0.2)
    ties = Dynamics(keep=0.5, gain=0.5, threshold=0.5, amplitude=0.5)
    spread = torch.linspace(-0.5, 0.6, 20 * 5 * 4).reshape(20, 5, 4)
    return {
        "if": Case(dynamics=Dynamics()),
        "if-17x17": Case((20, 17, 17), Dynamics(), steps=2),
        "if-vector": Case((37,), Dynamics(threshold=0.4)),
        "if-attached-vector": Case((16,), Dynamics(detach_reset=False, v_reset=0.3), batch=5),
        "lif": Case(dynamics=hard),
        "lif-soft": Case((5, 7, 9), soft),
        "lif-attached": Case((33, 4, 5), attached),
        "lif-soft-attached": Case((3, 6, 6), attached_soft),
        "lif-resting": Case((17, 5, 5), resting, batch=3),
        "lif-soft-resting": Case((12,), replace(resting, soft=True), steps=6),
        "lif-resting-attached": Case((12, 4, 4), replace(resting, detach_reset=False)),
        "initial": Case(dynamics=replace(hard, initial=0.35)),
        "initial-channels": Case((20, 5, 4), replace(hard, initial=spread[:, :1, :1])),
        "initial-neurons-max": Case((20, 5, 4), replace(soft, initial=spread), pool="max"),
        "initial-neurons-vector": Case((20,), replace(hard, initial=spread[:, 0, 0])),
        "one-step": Case(dynamics=hard, steps=1, norm="train", pool="max"),
        "one-step-vector": Case((21,), soft, steps=1, batch=1),
        "one-sample": Case((24, 7, 9), hard, batch=1, norm="train", pool="max"),
        "one-pixel": Case((24, 1, 1), hard, batch=5, norm="train"),
        "one-channel": Case((1, 8, 8), hard, batch=3, norm="train", pool="avg"),
        "forty-steps": Case((10, 4, 4), replace(resting, keep=0.9), steps=40, norm="train"),
        "forty-steps-soft-attached": Case((6, 4, 4), attached_soft, steps=40, pool="max"),
        "forty-steps-ties": Case((6, 4, 4), Dynamics(soft=True), steps=40, exact=True),
        "norm": Case((33, 5, 7), hard, norm="train"),
        "norm-vector": Case((19,), hard, batch=9, norm="train"),
        "norm-eval-vector": Case((32,), attached_soft, batch=3, norm="eval"),
        "norm-eval-max": Case((18, 7, 9), resting, norm="eval", pool="max"),
        "norm-max-17x17": Case((8, 17, 17), soft, steps=2, norm="train", pool="max"),
        "norm-avg": Case((20, 7, 9), attached, norm="train", pool="avg"),
        "constant": Case((16, 6, 6), hard, constant=True),
        "constant-norm-max": Case((20, 7, 9), soft, constant=True, norm="train", pool="max"),
        "constant-norm-eval-avg": Case((5, 6, 7), attached, constant=True, norm="eval", pool="avg"),
        "constant-vector": Case((35,), soft, steps=7, batch=9, constant=True, norm="train"),
        "triangle": Case((16, 5, 5), replace(hard, surrogate=Triangle(gamma=1.5))),
        "triangle-norm-max": Case(
            (10, 7, 6), replace(attached_soft, surrogate=Triangle()), norm="train", pool="max"
        ),
        "stdb": Case((5,), replace(attached_soft, surrogate=STDB()), steps=9),
        "linear-avg": Case((9, 6, 6), replace(attached_soft, surrogate=Linear()), pool="avg"),
        "rectangle": Case((16, 5, 5), replace(soft, surrogate=Rectangle(width=0.8))),
        "rectangle-avg": Case((9, 6, 6), replace(attached, surrogate=Rectangle()), pool="avg"),
        "sigmoid": Case((16, 5, 5), replace(attached_soft, surrogate=Sigmoid())),
        "sigmoid-steep-norm-max": Case(
            (20, 6, 6), replace(hard, surrogate=Sigmoid(alpha=25.0)), norm="train", pool="max"
        ),
        "atan-steep": Case((16, 5, 5), replace(hard, surrogate=ATan(alpha=8.0))),
        "ties": Case((20, 5, 5), ties, exact=True),
        "ties-soft-max": Case((20, 7, 9), replace(ties, soft=True), exact=True, pool="max"),
        "ties-avg-resting": Case(
            (16, 6, 6), replace(ties, v_reset=-0.25, initial=0.25), exact=True, pool="avg"
        ),
        "ties-rectangle": Case(
            (16, 4, 4), replace(ties, detach_reset=False, surrogate=Rectangle()), exact=True
        ),
        "ties-triangle-constant-max": Case(
            (4, 6, 6), replace(ties, surrogate=Triangle()), exact=True, constant=True, pool="max"
        ),
        "plif": Case((16, 5, 5), resting, leak=-0.4),
        "plif-soft-norm-max": Case((20, 7, 9), attached_soft, norm="train", pool="max", leak=0.8),
        "plif-whole-input-avg": Case((9, 6, 6), attached, pool="avg", leak=0.3, decay_input=False),
        "plif-constant-norm": Case((20, 5, 5), resting, constant=True, norm="train", leak=-0.4),
        "plif-initial-vector": Case((20,), replace(soft, initial=spread[:, 0, 0]), leak=-1.0),
        "plif-one-step": Case((20,), resting, steps=1, batch=4, leak=0.5),
        "plif-ties": Case((16, 4, 4), ties, exact=True, leak=0.0),
    }


CASES = _cases()
