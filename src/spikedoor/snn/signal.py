"""What flows between layers: one tensor with its time axis folded into the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["Signal"]


class Signal(NamedTuple):
    """A batch over time.

    Shapes:
        data: (steps * batch, ...), time outermost; or (batch, ...) if it is the same at all steps,
            so that layers before the first neuron run once, not ``steps`` times.

    Args:
        memory: Where layers leave what they need to go on from (membranes, by the layer) when a
            long run is simulated a few steps at a time, without gradients. None for a whole run.
        first: The first of the steps, where they are a piece of a longer run.
    """

    data: Tensor
    steps: int
    batch: int
    memory: dict[nn.Module, Tensor] | None = None
    first: int = 0

    @property
    def constant(self) -> bool:
        """Whether the data are the same at all steps, of which there are several."""
        return self.steps > 1 and len(self.data) == self.batch

    def map(self, function: Callable[[Tensor], Tensor]) -> Signal:
        """Apply a function that acts on each frame alone."""
        return self._replace(data=function(self.data))

    def over_time(self) -> Tensor:
        """Return the data as (steps, batch, ...)."""
        frames = self.data.unflatten(0, (-1, self.batch))
        return frames.expand(self.steps, *frames.shape[1:])
