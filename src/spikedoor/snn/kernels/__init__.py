"""The spiking layer as one pure function, on three back ends that agree.

``eager`` defines it, ``torch`` runs on any device without a compiler, ``compiled`` fuses norm,
neuron and pooling on CPU. The fastest that can do the job is taken; `use` forces one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import ModuleType
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from spikedoor.errors import ConfigError, hint
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import compiled, eager, signed, torchop
from spikedoor.snn.norm import BatchNorm

__all__ = [
    "Backend", "Pool", "Trace", "backend_for", "carry", "fire", "normalised", "pool_frames",
    "trace", "use",
]  # fmt: skip

Backend = Literal["auto", "eager", "torch", "compiled"]
Pool = Literal["max", "avg"]

_choice: ContextVar[Backend] = ContextVar("spikedoor_backend", default="auto")


@contextmanager
def use(backend: Backend) -> Iterator[None]:
    """Force a back end for the block; ``compiled`` still leaves to ``torch`` what it cannot do.

    Raises:
        ConfigError: If there is no such back end, or the compiled kernel was not built.
    """
    if backend not in get_args(Backend):
        raise ConfigError(f"unknown back end '{backend}'{hint(backend, get_args(Backend))}")
    if backend == "compiled" and not compiled.available():
        raise ConfigError("the compiled kernel was not built here; reinstall with a C compiler")
    token = _choice.set(backend)
    try:
        yield
    finally:
        _choice.reset(token)


def backend_for(x: Tensor, d: Dynamics) -> Backend:
    """Name the back end that `fire` takes for this input."""
    choice = _choice.get()
    if d.signed:
        return "eager"
    if choice in ("auto", "compiled"):
        return "compiled" if compiled.supports(x, d) else "torch"
    return choice


def fire(
    x: Tensor,
    steps: int,
    batch: int,
    d: Dynamics,
    norm: BatchNorm | None = None,
    pool: Pool | None = None,
) -> Tensor:
    """Return ``pool(spikes(norm(x)))``.

    Shapes:
        x: (steps * batch, C, H, W) or (steps * batch, F), time outermost; an input that is
            constant over time comes once, (batch, ...).

    Returns:
        (steps * batch, ...), spikes of height ``d.amplitude``, in the type of x; the membrane is
        kept in at least single precision.

    Raises:
        ConfigError: If x has neither ``steps * batch`` nor ``batch`` frames, or does not fit the
            norm.
    """
    _check(x, steps, batch, norm)
    backend = backend_for(x, d)
    if backend == "compiled":
        return compiled.fire(x, steps, batch, d, norm, pool)
    if norm is not None:
        x = norm(x)
    spikes = _steps(backend, d).fire(x.unflatten(0, (-1, batch)), steps, d)
    return pool_frames(spikes.flatten(0, 1), pool)


def carry(
    x: Tensor,
    steps: int,
    batch: int,
    d: Dynamics,
    membrane: Tensor | None,
    norm: BatchNorm | None = None,
    pool: Pool | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `fire` does, without gradients, as one piece of a longer run.

    Pieces put together give the very spikes of the whole run.

    All but ``membrane``, which is what the piece before returned (None at the start), is as of
    `fire`.

    Returns:
        Spikes as of `fire`, and the state after the last step: the membrane, (batch, ...); of a
        signed neuron, membrane and sum of spikes, (2, batch, ...).
    """
    _check(x, steps, batch, norm)
    backend = backend_for(x, d)
    if backend == "compiled":
        return compiled.carry(x, steps, batch, d, membrane, norm, pool)
    if norm is not None:
        x = norm(x)
    spikes, after = _steps(backend, d).carry(x.unflatten(0, (-1, batch)), steps, d, membrane)
    return pool_frames(spikes.flatten(0, 1), pool), after


class Trace(NamedTuple):
    """What happens inside a layer.

    Shapes:
        current, membrane, spikes: (steps, batch, ...): input behind the norm, membrane before the
            reset, and spikes as 0 and 1 (of a signed neuron -1 too), whatever their amplitude.
        state: After the last step, as of `carry`.
    """

    current: Tensor
    membrane: Tensor
    spikes: Tensor
    state: Tensor


@torch.no_grad()
def trace(
    x: Tensor,
    steps: int,
    batch: int,
    d: Dynamics,
    state: Tensor | None = None,
    norm: BatchNorm | None = None,
) -> Trace:
    """Show what `carry` computes from the same arguments, by the definition of the neuron.

    Every operation is that of the back end in force, in its order, so the spikes are the same bit
    for bit. The state is left as it is; a norm has its inference form.
    """
    _check(x, steps, batch, norm)
    x = normalised(x, steps, batch, d, norm)
    if backend_for(x, d) != "eager":
        d = replace(d, keep=float(d.keep), gain=float(d.gain))
    frames = x.unflatten(0, (-1, batch))
    spikes, membrane, after = (signed if d.signed else eager).trace(frames, steps, d, state)
    return Trace(frames.expand(steps, *frames.shape[1:]), membrane, spikes, after)


def normalised(
    x: Tensor, steps: int, batch: int, d: Dynamics, norm: BatchNorm | None = None
) -> Tensor:
    """Return the input as the neurons of `fire` get it, bit for bit where no gradient is needed.

    The arguments are those of `fire`.
    """
    if backend_for(x, d) == "compiled" and not torch.is_grad_enabled():
        return compiled.normalised(x, steps, batch, d, norm)
    return x if norm is None else norm(x)


def _steps(backend: Backend, d: Dynamics) -> ModuleType:
    """Return the back end without a compiler that walks the neuron through time."""
    if d.signed:
        return signed
    return eager if backend == "eager" else torchop


def _check(x: Tensor, steps: int, batch: int, norm: BatchNorm | None) -> None:
    if x.shape[0] not in (batch, steps * batch):
        raise ConfigError(
            f"expected {steps} x {batch} frames, or {batch} of a constant input, got {x.shape[0]}"
        )
    if norm is not None:
        norm.check(x)


def pool_frames(x: Tensor, pool: Pool | None) -> Tensor:
    """Pool windows of 2x2; a row or column left over is cut off."""
    if pool is None:
        return x
    return F.max_pool2d(x, 2) if pool == "max" else F.avg_pool2d(x, 2)
