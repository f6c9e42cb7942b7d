"""One seed a run; each consumer of randomness gets its own generator, named by its purpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["generator", "torch_generator", "uniform_at"]


def _entropy(seed: int, purpose: str) -> list[int]:
    if seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, got {seed}")
    digest = hashlib.sha256(purpose.encode()).digest()
    return [seed, *(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))]


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Make the NumPy generator of ``(seed, purpose)``; equal arguments give equal streams."""
    return np.random.default_rng(np.random.SeedSequence(_entropy(seed, purpose)))


def torch_generator(seed: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """Make the torch generator of ``(seed, purpose)`` on a device."""
    import torch

    state = np.random.SeedSequence(_entropy(seed, purpose)).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def uniform_at(seed: int, purpose: str, indices: NDArray[np.integer], count: int) -> NDArray:
    """Draw ``count`` numbers in [0, 1) for each index, float64 [B, count].

    A row depends on ``(seed, purpose)`` and its index alone, so a sample gets the same numbers in
    any batch. Each index has a stream of SplitMix64 (Steele, Lea, Flood 2014), which needs no
    state and so draws for all of them at once.
    """
    drawn = np.random.SeedSequence(_entropy(seed, purpose)).generate_state(1, np.uint64)
    start = drawn.astype(np.uint64)
    streams = _split_mix(start, np.asarray(indices, dtype=np.uint64))
    bits = _split_mix(streams[:, None], np.arange(count, dtype=np.uint64))
    return (bits >> np.uint64(11)) * 2.0**-53


def _split_mix(state: NDArray[np.uint64], position: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what SplitMix64 gives at a position of the stream that begins at a state."""
    z = state + (position + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
