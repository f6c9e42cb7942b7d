"""Back end "compiled": norm, neuron and pooling fused in C; CPU, single precision or bfloat16.

See neuron.c; `sparse` is in the same library. Where it was not built, `available` is False and
"torch" takes over.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedoor.snn.dynamics import Dynamics

__all__ = ["available", "carry", "fire", "instruction_set", "loaded", "normalised", "supports"]

_VERSION = 5
_POOLS = {None: 0, "max": 1, "avg": 2}
_DTYPES = {torch.float32: 0, torch.bfloat16: 1}

_WHOLE = ("dtype", "pool", "surrogate", "soft", "detach", "learn", "threads")
_REAL = (
    "keep", "gain", "rest", "threshold", "amplitude", "v_reset", "initial", "sharpness",
)  # fmt: skip


class _Problem(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_int64) for name in ("S", "T", "N", "H", "W", "C")]
        + [(name, ctypes.c_int32) for name in _WHOLE]
        + [(name, ctypes.c_float) for name in _REAL]
    )


def instruction_set() -> str:
    """Return the widest of our builds that this processor can run."""
    capability = torch.backends.cpu.get_cpu_capability().upper()
    if capability.startswith("AVX512"):
        return "avx512"
    return "avx2" if capability.startswith("AVX2") else "base"


@cache
def _library() -> ctypes.CDLL | None:
    order = ["avx512", "avx2", "base"]
    for name in order[order.index(instruction_set()) :]:
        for path in sorted(Path(__file__).parent.glob(f"_neuron_{name}*.so")):
            try:
                library = ctypes.CDLL(str(path))
                if library.spd_version() == _VERSION:
                    return library
            except (OSError, AttributeError):
                continue
    return None


def loaded() -> ctypes.CDLL:
    """Return the library; only where it is `available`."""
    library = _library()
    assert library is not None
    return library


def available() -> bool:
    """Whether the compiled kernel was built and can be loaded."""
    return _library() is not None


def supports(x: Tensor, d: Dynamics) -> bool:
    """Whether this input and neuron can take the compiled road."""
    known = getattr(d.surrogate, "code", None) is not None and d.subtract == 1
    return known and x.device.type == "cpu" and x.dtype in _DTYPES and available()


def fire(
    x: Tensor, steps: int, batch: int, d: Dynamics, norm: Any = None, pool: str | None = None
) -> Tensor:
    """Return ``pool(spikes(norm(x)))``.

    Shapes:
        x: (steps * batch, C, H, W) or (steps * batch, F); constant input: (batch, ...).

    Returns:
        (steps * batch, C, H // 2, W // 2) with a pool, else like x for all steps; the type of x.
    """
    weight = norm.weight if norm is not None else None
    bias = norm.bias if norm is not None else None
    return _Fire.apply(x, weight, bias, d.keep, d.gain, steps, batch, d, norm, pool)


@torch.no_grad()
def carry(
    x: Tensor,
    steps: int,
    batch: int,
    d: Dynamics,
    membrane: Tensor | None,
    norm: Any = None,
    pool: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Return spikes as `fire` does, and the membrane after the last step.

    Shapes:
        membrane: (batch, ...), single precision, as a former call returned it; None at the start.
            It is used up.
    """
    x = _channels_last(x)
    problem = _problem(x, steps, batch, d, pool)
    if membrane is None:
        start = torch.as_tensor(d.initial, dtype=torch.float32).expand(x.shape[1:])
        membrane = _channels_last(start.expand(batch, *start.shape)).clone()
    scale, shift, _, _ = _affine(problem, x, norm)
    return _forward(problem, x, scale, shift, membrane, membrane), membrane


@torch.no_grad()
def normalised(x: Tensor, steps: int, batch: int, d: Dynamics, norm: Any = None) -> Tensor:
    """Return the input as the neuron of `carry` gets it, in single precision."""
    scale, shift, _, _ = _affine(_problem(x, steps, batch, d, None), x, norm)
    if scale is None or shift is None:
        return x.float()
    channels = (-1, *[1] * (x.dim() - 2))
    return x.float() * scale.view(channels) + shift.view(channels)


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p | None:
    return None if tensor is None else ctypes.c_void_p(tensor.data_ptr())


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.contiguous()


def _problem(x: Tensor, steps: int, batch: int, d: Dynamics, pool: str | None) -> _Problem:
    channels = x.shape[1]
    height, width = (x.shape[2], x.shape[3]) if x.dim() == 4 else (1, 1)
    keep, gain = float(d.keep), float(d.gain)
    return _Problem(
        S=x.shape[0] // batch,
        T=steps,
        N=batch,
        H=height,
        W=width,
        C=channels,
        dtype=_DTYPES[x.dtype],
        pool=_POOLS[pool],
        surrogate=d.surrogate.code,
        soft=d.soft,
        detach=d.detach_reset,
        learn=d.learned,
        threads=torch.get_num_threads(),
        keep=keep,
        gain=gain,
        rest=(1 - keep) * d.v_reset,
        threshold=d.threshold,
        amplitude=d.amplitude,
        v_reset=d.v_reset,
        initial=0.0 if isinstance(d.initial, Tensor) else d.initial,
        sharpness=d.surrogate.sharpness,
    )


def _initial(x: Tensor, d: Dynamics) -> Tensor | None:
    """Return the membrane before the first step per neuron, in the order H, W, C; or None."""
    if not isinstance(d.initial, Tensor):
        return None
    full = d.initial.detach().to(torch.float32).expand(x.shape[1:])
    return full.permute(1, 2, 0).contiguous() if full.dim() == 3 else full.contiguous()


def _affine(problem: _Problem, x: Tensor, norm: Any) -> tuple[Tensor | None, ...]:
    """Return scale and shift that stand for the norm, and its mean and 1/std; all per channel."""
    if norm is None:
        return None, None, None, None
    if norm.training:
        moments = torch.empty(2, problem.C, dtype=torch.float64)
        mean, var = moments
        loaded().spd_moments(ctypes.byref(problem), _pointer(x), _pointer(mean), _pointer(var))
        norm.track(mean, var, x.numel() // problem.C)
    else:
        mean, var = norm.running_mean.double(), norm.running_var.double()
    weight, bias = norm.weight.float(), norm.bias.float()
    folded = torch.empty(4, problem.C)
    loaded().spd_fold(
        ctypes.byref(problem),
        _pointer(mean),
        _pointer(var),
        _pointer(weight),
        _pointer(bias),
        ctypes.c_double(norm.eps),
        _pointer(folded),
    )
    return tuple(folded)


def _forward(
    problem: _Problem,
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    start: Tensor | None,
    end: Tensor | None,
) -> Tensor:
    """Run the kernel; ``end`` gets the membranes after the last step, if given."""
    shape: tuple[int, ...] = (problem.T * problem.N, *x.shape[1:])
    if problem.pool:
        shape = (*shape[:2], x.shape[2] // 2, x.shape[3] // 2)
    layout = torch.channels_last if x.dim() == 4 else torch.contiguous_format
    out = torch.empty(shape, dtype=x.dtype, memory_format=layout)
    loaded().spd_forward(
        ctypes.byref(problem),
        _pointer(x),
        _pointer(scale),
        _pointer(shift),
        _pointer(start),
        _pointer(end),
        _pointer(out),
    )
    return out


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        keep: Any,
        gain: Any,
        steps: int,
        batch: int,
        d: Dynamics,
        norm: Any,
        pool: str | None,
    ) -> Tensor:
        x = _channels_last(x)
        problem = _problem(x, steps, batch, d, pool)
        scale, shift, mean, inverse = _affine(problem, x, norm)
        initial = _initial(x, d)
        out = _forward(problem, x, scale, shift, initial, None)
        ctx.save_for_backward(x, scale, shift, mean, inverse, initial)
        ctx.problem = problem
        ctx.batch_statistics = norm is not None and norm.training
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, scale, shift, mean, inverse, initial = ctx.saved_tensors
        problem = ctx.problem
        out_grad = _channels_last(grads[0].to(x.dtype))
        grad = torch.empty_like(x)
        channels = problem.C
        sums = torch.empty(2 * channels + 2, dtype=torch.float64)
        failed = loaded().spd_backward(
            ctypes.byref(problem),
            _pointer(x),
            _pointer(scale),
            _pointer(shift),
            _pointer(mean),
            _pointer(initial),
            _pointer(out_grad),
            _pointer(grad),
            _pointer(sums),
        )
        weight_grad = bias_grad = None
        if scale is not None and not failed:
            norm_grads = torch.empty(2, channels)
            weight_grad, bias_grad = norm_grads
            failed = loaded().spd_norm_backward(
                ctypes.byref(problem),
                _pointer(x),
                _pointer(grad),
                _pointer(scale),
                _pointer(mean),
                _pointer(inverse),
                _pointer(sums),
                ctypes.c_int(ctx.batch_statistics),
                _pointer(norm_grads),
            )
        if failed:
            raise MemoryError("no memory for the backward pass of a spiking layer")
        need = ctx.needs_input_grad
        return (
            grad,
            weight_grad if need[1] else None,
            bias_grad if need[2] else None,
            sums[-2].float() if need[3] else None,
            sums[-1].float() if need[4] else None,
            *([None] * 5),
        )
