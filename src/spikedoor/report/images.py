"""Showing raw images as they are."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

__all__ = ["difference", "show"]

_Image = NDArray[np.uint8]


def difference(clean: _Image, triggered: _Image) -> _Image:
    """Return the absolute difference, uint8 as the images."""
    return np.abs(triggered.astype(np.int16) - clean).astype(np.uint8)


def show(axes: Axes, image: _Image) -> None:
    """Draw an image [C, H, W] without smoothing: grey, colour, or the mean of other channels."""
    picture = np.moveaxis(image, 0, -1) if len(image) == 3 else image.mean(0)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="0.75", linewidth=0.6)
