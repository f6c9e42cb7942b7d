"""One seed a run; each consumer of randomness gets its own generator, named by its purpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from spikedoor.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["generator", "torch_generator"]


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
