"""Back end "torch": one autograd function of torch operations; any device, no compiler.

The forward pass keeps no graph; the backward pass recomputes the membranes from the input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics

__all__ = ["fire"]


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes; see `eager.fire`, whose equal this is. Half precision is widened."""
    return _Fire.apply(x, d.keep, d.gain, steps, d)


def _membranes(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the membrane before reset, (steps, batch, ...), in at least single precision."""
    wide = torch.promote_types(x.dtype, torch.float32)
    h = torch.empty((steps, *x.shape[1:]), dtype=wide, device=x.device)
    initial = torch.as_tensor(d.initial, dtype=wide, device=x.device)
    v = initial.expand(x.shape[1:]).clone()
    rest = (1 - d.keep) * d.v_reset
    for t in range(steps):
        h[t].copy_(x[t if x.shape[0] > 1 else 0]).mul_(d.gain).add_(v.mul_(d.keep))
        if d.v_reset:
            h[t].add_(rest)
        _reset(h[t], d, out=v)
    return h


def _reset(h: Tensor, d: Dynamics, out: Tensor) -> Tensor:
    fired = h >= d.threshold
    if d.soft:
        return torch.sub(h, fired.to(h.dtype), alpha=d.threshold, out=out)
    return out.copy_(h).masked_fill_(fired, d.v_reset)


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Any, gain: Any, steps: int, d: Dynamics) -> Tensor:
        plain = _numbers(d)
        ctx.save_for_backward(x)
        ctx.steps, ctx.dynamics = steps, plain
        h = _membranes(x, steps, plain)
        return (h >= plain.threshold).to(x.dtype).mul_(plain.amplitude)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        d: Dynamics = ctx.dynamics
        h = _membranes(x, ctx.steps, d)
        constant = x.shape[0] == 1
        grad_x = torch.zeros(x.shape, dtype=h.dtype, device=x.device)
        gv = torch.zeros_like(h[0])
        learned = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        grad_keep, grad_gain = h.new_zeros(()), h.new_zeros(())
        for t in range(ctx.steps - 1, -1, -1):
            ht = h[t]
            z = (ht - d.threshold) / d.threshold
            gs = grads[0][t].to(h.dtype) * d.amplitude
            if not d.detach_reset:
                gs = gs + gv * (-d.threshold if d.soft else d.v_reset - ht)
            if not d.soft:
                gv = gv.masked_fill(ht >= d.threshold, 0.0)
            gh = torch.addcmul(gv, gs, d.surrogate.derivative(z), value=1 / d.threshold)
            if learned:
                initial = torch.as_tensor(d.initial, dtype=h.dtype, device=x.device)
                before = _reset(h[t - 1], d, torch.empty_like(ht)) if t else initial
                grad_keep += (gh * (before - d.v_reset)).sum()
                grad_gain += (gh * x[0 if constant else t]).sum()
            gv = gh * d.keep
            grad_x[0 if constant else t].add_(gh, alpha=float(d.gain))
        keep = grad_keep if ctx.needs_input_grad[1] else None
        gain = grad_gain if ctx.needs_input_grad[2] else None
        return grad_x.to(x.dtype), keep, gain, None, None


def _numbers(d: Dynamics) -> Dynamics:
    """Return the dynamics with learned tensors as numbers, for code outside autograd."""
    return replace(d, keep=float(d.keep), gain=float(d.gain))
