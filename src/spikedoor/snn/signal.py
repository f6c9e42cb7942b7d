"""What flows between layers: one tensor with its time axis folded into the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

__all__ = ["Signal"]


class Signal(NamedTuple):
    """A batch over time.

    Shapes:
        data: (steps * batch, ...), time outermost; or (batch, ...) if it is the same at all steps,
            so that layers before the first neuron run once, not ``steps`` times.
    """

    data: Tensor
    steps: int
    batch: int

    def map(self, function: Callable[[Tensor], Tensor]) -> Signal:
        """Apply a function that acts on each frame alone."""
        return self._replace(data=function(self.data))

    def over_time(self) -> Tensor:
        """Return the data as (steps, batch, ...)."""
        frames = self.data.unflatten(0, (-1, self.batch))
        return frames.expand(self.steps, *frames.shape[1:])
