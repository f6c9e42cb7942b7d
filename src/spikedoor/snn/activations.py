"""What stands in the activation slot of a network: a rectifier (ANN) or spiking neurons (SNN)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikedoor.snn.bounds import Bounds
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import Pool, carry, fire, normalised, pool_frames
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import Surrogate

__all__ = ["Activation", "Rectifier", "Spiking"]


class Activation(nn.Module):
    """Interface of the slot: norm, nonlinearity and pooling of a current, in one call.

    ``observer``, if set, is shown the layer's output before pooling, all frames of a call at once.
    """

    observer: Callable[[Tensor], object] | None = None

    def forward(
        self, current: Signal, norm: BatchNorm | None = None, pool: Pool | None = None
    ) -> Signal:
        raise TypeError("use Rectifier or Spiking")


class Rectifier(Activation):
    """ReLU, the activation of the ANN; the members of `rectifiers` have others."""

    def rectify(self, x: Tensor) -> Tensor:
        """Return the activations of a current, like it in shape and type."""
        return F.relu(x)

    @property
    def limit(self) -> float | None:
        """Largest activation there can be, None if there is none."""
        return None

    def forward(
        self, current: Signal, norm: BatchNorm | None = None, pool: Pool | None = None
    ) -> Signal:
        def act(x: Tensor) -> Tensor:
            x = self.rectify(norm(x) if norm is not None else x)
            if self.observer is not None:
                self.observer(x)
            return pool_frames(x, pool)

        return current.map(act)


@final
class Spiking(Activation):
    """A layer of spiking neurons.

    Threshold, amplitude and initial membrane are buffers, so that they travel with the weights.
    So do the ``bounds`` on the current behind the norm, None where there are none.

    A learned threshold is ``V = threshold * exp(stretch)``. Dividing all membranes by
    ``exp(stretch)`` changes no spike: it leaves the neuron of the buffers, with its input divided.
    So V takes effect, and has its gradient, as a gain; resting potential, end of a hard reset and
    initial membrane stay the same shares of V.

    Args:
        dynamics: The neuron; its threshold, amplitude and initial membrane are the start values.
        learn_leak: Learn the share of membrane kept, through ``sigmoid(leak)`` (PLIF).
        decay_input: With ``learn_leak``: whether the input is weighted by ``1 / tau`` too.
        learn_threshold: Learn the logarithm of the threshold in units of its start.
    """

    threshold: Tensor
    amplitude: Tensor
    initial: Tensor

    def __init__(
        self,
        dynamics: Dynamics,
        learn_leak: bool = False,
        decay_input: bool = True,
        learn_threshold: bool = False,
    ) -> None:
        super().__init__()
        self._base = dynamics
        self.bounds: Bounds | None = None
        self.decay_input = decay_input
        self.register_buffer("threshold", torch.tensor(dynamics.threshold))
        self.register_buffer("amplitude", torch.tensor(dynamics.amplitude))
        self.register_buffer("initial", torch.as_tensor(dynamics.initial, dtype=torch.float32))
        self.leak: nn.Parameter | None = None
        if learn_leak:
            share = 1 - float(dynamics.keep)
            self.leak = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        self.stretch: nn.Parameter | None = None
        if learn_threshold:
            self.stretch = nn.Parameter(torch.tensor(0.0))

    @property
    def surrogate(self) -> Surrogate:
        return self._base.surrogate

    @property
    def threshold_in_force(self) -> float:
        """Threshold that the neurons have now, learned or not."""
        stretch = 0.0 if self.stretch is None else float(self.stretch.detach())
        return float(self.threshold) * math.exp(stretch)

    def dynamics(self) -> Dynamics:
        """Return the numbers in force now; a learned threshold is in the gain."""
        keep: float | Tensor = self._base.keep
        gain: float | Tensor = self._base.gain
        if self.leak is not None:
            share = torch.sigmoid(self.leak)
            keep, gain = 1 - share, share if self.decay_input else 1.0
        if self.stretch is not None:
            gain = gain * torch.exp(-self.stretch)
        fields: dict[str, Any] = {name: getattr(self._base, name) for name in _UNCHANGED}
        return Dynamics(
            keep=keep,
            gain=gain,
            threshold=float(self.threshold),
            amplitude=float(self.amplitude),
            initial=self.initial if self.initial.dim() else float(self.initial),
            **fields,
        )

    def forward(
        self, current: Signal, norm: BatchNorm | None = None, pool: Pool | None = None
    ) -> Signal:
        if self.observer is None:
            return self._fire(current, norm, pool)
        spikes = self._fire(current, norm, None)
        self.observer(spikes.data)
        return spikes.map(lambda x: pool_frames(x, pool))

    def bounded(self, current: Signal, norm: BatchNorm | None) -> tuple[Signal, BatchNorm | None]:
        """Return the current within the bounds, and what is left to do of the norm."""
        if self.bounds is None:
            return current, norm
        x = normalised(current.data, current.steps, current.batch, self.dynamics(), norm)
        return self.bounds(current._replace(data=x)), None

    def _fire(self, current: Signal, norm: BatchNorm | None, pool: Pool | None) -> Signal:
        current, norm = self.bounded(current, norm)
        x, steps, batch, d = current.data, current.steps, current.batch, self.dynamics()
        if current.memory is None:
            return current._replace(data=fire(x, steps, batch, d, norm, pool))
        before = current.memory.get(self)
        out, current.memory[self] = carry(x, steps, batch, d, before, norm, pool)
        return current._replace(data=out)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take the initial membrane in the shape it comes in, a number or one for each neuron.

        Bounds are taken where there are some, and dropped where there are none.
        """
        bounded = f"{prefix}bounds.lower" in state_dict
        self.bounds = Bounds(torch.empty(0, 0), torch.empty(0, 0)) if bounded else None
        found = state_dict.get(f"{prefix}initial")
        if found is not None:
            self.initial = torch.empty_like(found, device=self.initial.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold_in_force:.4g}, soft={self._base.soft}"


_UNCHANGED = ("soft", "subtract", "v_reset", "detach_reset", "surrogate", "signed")
