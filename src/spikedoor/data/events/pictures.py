"""What a recording looks like in one picture: ON and OFF events in two colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.counting import totals
from spikedoor.data.events.recordings import Events

__all__ = ["pictures"]

# Sky blue and orange of Okabe and Ito, which the colour-blind tell apart; OFF, then ON.
_COLOURS = np.array([[86, 180, 233], [230, 159, 0]], np.float32)
_FULL = 31


def pictures(samples: Any, full: float = _FULL) -> NDArray[np.uint8]:
    """Return samples as images: recordings and frames coloured, images as they are.

    A pixel with n events of a polarity, of all the time, adds its colour in the strength
    log2(1 + n) / log2(1 + full), at most 1, to black. One scale for all, so that pictures can be
    compared.

    Args:
        samples: What to show.
        full: Events of a pixel and polarity that make its colour full.

    Shapes:
        samples: `Events`; frames [B, T, C, H, W], of counts or signed; or images, uint8
            [B, C, H, W]. Result: uint8 [B, 3, H, W], or the images.
    """
    if isinstance(samples, Events):
        counts = totals(samples)
    elif samples.ndim == 4:
        return samples
    else:
        counts = samples.sum(1, dtype=np.int64)
    if counts.shape[1] == 1:
        counts = np.concatenate([-counts, counts], 1).clip(0)
    strength = (np.log2(1 + counts) / np.log2(1 + full)).clip(0, 1).astype(np.float32)
    mixed = np.einsum("bphw,pc->bchw", strength, _COLOURS)
    return np.rint(mixed.clip(0, 255)).astype(np.uint8)
