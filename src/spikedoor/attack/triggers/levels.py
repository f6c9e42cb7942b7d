"""Arithmetic on levels: what a trigger computes goes back to 0 to 255, rounded and clipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.triggers.base import Images

__all__ = ["add", "blend", "to_levels"]


def to_levels(values: NDArray) -> Images:
    """Return numbers of any size as levels: rounded to the nearest, and 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def add(images: Images, pattern: NDArray) -> Images:
    """Return clip(round(x + pattern)) for a pattern [C, H, W] or [B, C, H, W] of any numbers."""
    rounded = np.clip(np.rint(pattern), -255, 255).astype(np.int16)
    return np.clip(images + rounded, 0, 255).astype(np.uint8)


def blend(images: Images, picture: NDArray, alpha: float | NDArray) -> Images:
    """Return round((1 - alpha) x + alpha picture); alpha may differ from pixel to pixel."""
    share = np.asarray(alpha, dtype=np.float32)
    return to_levels(images.astype(np.float32) * (1 - share) + share * picture.astype(np.float32))
