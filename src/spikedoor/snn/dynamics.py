"""What a neuron does in one time step, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spikedoor.snn.surrogate import ATan, Surrogate

__all__ = ["Dynamics", "signed_step", "step"]


@dataclass(frozen=True)
class Dynamics:
    """The numbers of a neuron: ``v -> h`` (charge) ``-> s`` (fire) ``-> v`` (reset).

    With input ``x[t]`` and membrane ``v[t]``::

        h[t] = keep * v[t-1] + gain * x[t] + (1 - keep) * v_reset
        s[t] = 1 if h[t] >= threshold else 0
        v[t] = h[t] (1 - s[t]) + v_reset s[t]   (hard reset)
        v[t] = h[t] - subtract threshold s[t]   (soft reset)

    and ``amplitude * s[t]`` is sent on. IF: keep = gain = 1. LIF: keep = 1 - 1/tau, and gain =
    1/tau if the input decays too, else 1.

    A ``signed`` neuron takes back what it sent too much: it also sends -1 where ``h[t] <=
    -threshold`` and the spikes it has sent so far sum up to more than 0 (see `signed_step`).

    Args:
        keep: Share of the membrane kept in a step; a 0-dim tensor where it is learned (PLIF).
        gain: Weight of the input; likewise.
        threshold: Membrane at which the neuron fires, above 0.
        amplitude: Height of a spike sent on; converted neurons send their threshold.
        soft: Subtract the threshold at a spike instead of setting ``v_reset``.
        subtract: How many thresholds a soft reset subtracts.
        v_reset: Resting potential, and where a hard reset ends.
        initial: Membrane before the first step: a number, or a tensor that broadcasts to a sample.
        detach_reset: Keep gradients out of the reset.
        surrogate: Derivative of the step, in ``(h - threshold) / threshold``.
        signed: Whether spikes can be negative.
    """

    keep: float | Tensor = 1.0
    gain: float | Tensor = 1.0
    threshold: float = 1.0
    amplitude: float = 1.0
    soft: bool = False
    subtract: float = 1.0
    v_reset: float = 0.0
    initial: float | Tensor = 0.0
    detach_reset: bool = True
    surrogate: Surrogate = field(default_factory=ATan)
    signed: bool = False

    @property
    def learned(self) -> bool:
        """Whether gradients must reach ``keep`` and ``gain``."""
        return any(isinstance(a, Tensor) and a.requires_grad for a in (self.keep, self.gain))


class _Spike(torch.autograd.Function):
    """Step function with a surrogate derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, surrogate: Surrogate, since: Tensor | None) -> Tensor:
        ctx.save_for_backward(z, *([] if since is None else [since]))
        ctx.surrogate = surrogate
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] * ctx.surrogate.derivative(*ctx.saved_tensors), None, None


def step(
    v: Tensor, x: Tensor, d: Dynamics, since: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Do one step: this is the definition of the neuron, written to be read.

    Args:
        v: Membrane after the last step.
        x: Input current.
        d: The neuron.
        since: Steps since each neuron's last spike, for a surrogate that is ``timed``.

    Returns:
        Spike (0 or 1), membrane before the reset ``h``, membrane after it ``v``; all like ``x``.
    """
    h = _charge(v, x, d)
    s = _Spike.apply((h - d.threshold) / d.threshold, d.surrogate, since)
    return s, h, _reset(h, s, s, d)


def signed_step(
    v: Tensor, sent: Tensor, x: Tensor, d: Dynamics
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do one step of a signed neuron.

    Args:
        v: Membrane after the last step.
        sent: Sum of the spikes sent so far.
        x: Input current.
        d: The neuron.

    Returns:
        Spike (-1, 0 or 1), membrane before and after the reset, and the new sum of spikes.
    """
    h = _charge(v, x, d)
    up = _Spike.apply((h - d.threshold) / d.threshold, d.surrogate, None)
    down = _Spike.apply((-h - d.threshold) / d.threshold, d.surrogate, None)
    down = down * (sent > 0)
    s = up - down
    return s, h, _reset(h, s, up + down, d), sent + s.detach()


def _charge(v: Tensor, x: Tensor, d: Dynamics) -> Tensor:
    return d.keep * v + d.gain * x + (1 - d.keep) * d.v_reset


def _reset(h: Tensor, s: Tensor, fired: Tensor, d: Dynamics) -> Tensor:
    if d.detach_reset:
        s, fired = s.detach(), fired.detach()
    if d.soft:
        return h - d.threshold * d.subtract * s
    return h * (1 - fired) + d.v_reset * fired
