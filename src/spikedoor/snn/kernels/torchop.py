"""Back end "torch": one autograd function of torch operations; any device, no compiler.

The forward pass keeps no graph; the backward pass recomputes the membranes from the input. Every
operation is a whole-tensor one, and none makes a mask of booleans, which torch does slowly.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedoor.snn.dynamics import Dynamics

__all__ = ["carry", "fire"]


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes: the equal of `eager.fire`. Half precision is widened."""
    return _Fire.apply(x, d.keep, d.gain, steps, d)


@torch.no_grad()
def carry(x: Tensor, steps: int, d: Dynamics, membrane: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the output spikes, and the membrane to go on from: the equal of `eager.carry`."""
    d = replace(d, keep=float(d.keep), gain=float(d.gain))
    run = _Run(x, d)
    if membrane is not None:
        run.v.copy_(membrane)
    return run.spikes(steps), run.v


class _Run:
    """The neuron walked through time on buffers of its own, in at least single precision."""

    def __init__(self, x: Tensor, d: Dynamics) -> None:
        self.x, self.d = x, d
        self.wide = torch.promote_types(x.dtype, torch.float32)
        initial = torch.as_tensor(d.initial, dtype=self.wide, device=x.device)
        self.v = torch.empty_like(x[0], dtype=self.wide).copy_(initial)

    def spikes(self, steps: int) -> Tensor:
        """Walk all steps and return the output; ``v`` is then the membrane after the last."""
        d, h, spikes = self.d, torch.empty_like(self.v), torch.empty_like(self.v)
        out = _frames(self.x, steps, self.x.dtype)
        for t in range(steps):
            self.charge(t, h)
            torch.ge(h, d.threshold, out=spikes)
            self.reset(h, spikes)
            torch.mul(spikes, d.amplitude, out=out[t]) if d.amplitude != 1 else out[t].copy_(spikes)
        return out

    def charge(self, t: int, h: Tensor) -> None:
        """Write the membrane before reset at step t into h; ``v`` is used up."""
        d = self.d
        h.copy_(self.x[t if len(self.x) > 1 else 0])
        if d.gain != 1:
            h.mul_(d.gain)
        if d.keep != 1:
            self.v.mul_(d.keep)
        h.add_(self.v)
        if d.v_reset and d.keep != 1:
            h.add_((1 - d.keep) * d.v_reset)

    def reset(self, h: Tensor, spikes: Tensor) -> None:
        """Write the membrane after reset into ``v``; spikes are 0 or 1."""
        _reset(h, spikes, self.d, self.v)


def _reset(h: Tensor, spikes: Tensor, d: Dynamics, out: Tensor) -> Tensor:
    if d.soft:
        return torch.sub(h, spikes, alpha=d.threshold * d.subtract, out=out)
    torch.addcmul(h, h, spikes, value=-1, out=out)
    return out.add_(spikes, alpha=d.v_reset) if d.v_reset else out


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Any, gain: Any, steps: int, d: Dynamics) -> Tensor:
        d = replace(d, keep=float(keep), gain=float(gain))
        ctx.save_for_backward(x)
        ctx.steps, ctx.dynamics = steps, d
        return _Run(x, d).spikes(steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        d: Dynamics = ctx.dynamics
        run = _Run(x, d)
        initial = run.v.clone()
        h, s = _frames(x, ctx.steps, run.wide), _frames(x, ctx.steps, run.wide)
        for t in range(ctx.steps):
            run.charge(t, h[t])
            torch.ge(h[t], d.threshold, out=s[t])
            run.reset(h[t], s[t])
        since = _since(s) if d.surrogate.timed else None
        learned = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        grad_keep, grad_gain = h.new_zeros(()), h.new_zeros(())
        grad_x = torch.zeros_like(x, dtype=run.wide)
        gv, before = torch.zeros_like(h[0]), torch.empty_like(h[0])
        for t in range(ctx.steps - 1, -1, -1):
            now = t if len(x) > 1 else 0
            gs = grads[0][t].to(run.wide) * d.amplitude
            if not d.detach_reset:
                gs.add_(gv * (-d.threshold * d.subtract) if d.soft else gv * (d.v_reset - h[t]))
            if not d.soft:
                gv.addcmul_(gv, s[t], value=-1)
            z = (h[t] - d.threshold) / d.threshold
            slope = d.surrogate.derivative(z, *([] if since is None else [since[t]]))
            gv.addcmul_(gs, slope, value=1 / d.threshold)
            if learned:
                earlier = _reset(h[t - 1], s[t - 1], d, before) if t else initial
                grad_keep += (gv * (earlier - d.v_reset)).sum()
                grad_gain += (gv * x[now]).sum()
            grad_x[now].add_(gv, alpha=float(d.gain))
            gv.mul_(d.keep)
        keep = grad_keep if ctx.needs_input_grad[1] else None
        gain = grad_gain if ctx.needs_input_grad[2] else None
        return grad_x.to(x.dtype), keep, gain, None, None


def _since(spikes: Tensor) -> Tensor:
    """Return the steps since each neuron's last spike before each step; infinite without one."""
    since = torch.full_like(spikes, math.inf)
    for t in range(1, len(spikes)):
        since[t] = torch.where(spikes[t - 1] > 0, 1.0, since[t - 1] + 1)
    return since


def _frames(x: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """Return an empty tensor for all steps, in the memory layout of x."""
    frame = torch.empty_like(x[0], dtype=dtype)
    strides = (frame.numel(), *frame.stride())
    return torch.empty_strided((steps, *frame.shape), strides, dtype=dtype, device=x.device)
