"""What an attacker may have of a trained model."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Model"]


class Model(Protocol):
    """A classifier that tells how its loss moves with the image."""

    def gradients(
        self, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the gradient of each image's cross-entropy with respect to its levels.

        Shapes:
            images and result: float32 [B, C, H, W], levels 0 to 255. labels: int64 [B].
        """
        ...
