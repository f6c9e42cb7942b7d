"""What an attacker may have of a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spikedoor.data.events import Events

__all__ = ["Model"]


class Model(Protocol):
    """A classifier that tells how its loss moves with the sample."""

    def gradients(
        self, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the gradient of each image's cross-entropy with respect to its levels.

        Shapes:
            images and result: float32 [B, C, H, W], levels 0 to 255. labels: int64 [B].
        """
        ...

    def event_gradients(
        self, events: Events, labels: NDArray[np.int64], bins: int
    ) -> NDArray[np.float32]:
        """Return how each recording's cross-entropy would move by one more event.

        Args:
            events: Recordings.
            labels: int64 [B].
            bins: Equal parts of each recording's time.

        Returns:
            float32 [B, bins, 2, H, W], for an event at any time of a part, of a polarity, at a
            pixel.
        """
        ...
