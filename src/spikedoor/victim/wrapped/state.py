"""What a module carries from one step to the next, found by running it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError

__all__ = ["State", "seeded", "snapshot"]

Slot = tuple[str, str, str]
"""Path of a module, its attribute, and the key in it where that is a dict, else empty."""

_NO_STATE = {"_parameters", "_modules", "training", "_non_persistent_buffers_set"}


class _Absent:
    """Stands for a value that is not there; unlike an object, a class is itself when copied."""


def snapshot(module: nn.Module) -> dict[Slot, Any]:
    """Return all values in a module that are no weights, with tensors of their own."""
    found: dict[Slot, Any] = {}
    for path, inner in module.named_modules():
        for name, value in vars(inner).items():
            if name in _NO_STATE or name.endswith("_hooks"):
                continue
            if isinstance(value, dict):
                for key, held in value.items():
                    if isinstance(key, str):
                        found[path, name, key] = _own(held)
            else:
                found[path, name, ""] = _own(value)
    return found


class State:
    """The values of a module that a run in evaluation changes, as they were at its start.

    Args:
        before, after: Snapshots from before and after such a run.
    """

    def __init__(self, before: dict[Slot, Any], after: dict[Slot, Any]) -> None:
        slots = {slot: None for slot in (*before, *after)}
        self._start = {
            slot: before.get(slot, _Absent)
            for slot in slots
            if not _equal(before.get(slot, _Absent), after.get(slot, _Absent))
        }

    def check(self) -> None:
        """Check that the start is none in the middle of a run.

        Raises:
            ConfigError: Naming what is left from an earlier run.
        """
        for (path, name, key), value in self._start.items():
            if isinstance(value, Tensor) and value.dim() and bool(value.any()):
                raise ConfigError(
                    f"module '{path}' has a state '{key or name}' that is left from an earlier "
                    "run: give `reset`, a function that takes the module back to its start"
                )

    def owned(self, path: str) -> bool:
        """Whether a module itself has a state."""
        return any(owner == path for owner, _, _ in self._start)

    def within(self, path: str) -> bool:
        """Whether a module, or one in it, has a state."""
        return any(owner == path or owner.startswith(f"{path}.") for owner, _, _ in self._start)

    def restore(self, module: nn.Module, device: torch.device) -> None:
        """Take a module, whose weights are on a device, back to its start."""
        with torch.inference_mode(False):  # what is made in it could not be trained with
            for (path, name, key), value in self._start.items():
                store = vars(module.get_submodule(path))
                if key:
                    store, name = store[name], key
                if value is _Absent:
                    store.pop(name, None)
                else:
                    store[name] = _own(value, device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Have torch's generators begin at a seed in the block, and go on as before after it."""
    on_gpu = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(on_gpu):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            torch.cuda.manual_seed(seed)
        yield


def _own(value: Any, device: torch.device | None = None) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().to(device or value.device)
    if type(value) in (list, tuple):
        return type(value)(_own(inner, device) for inner in value)
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        same = one.shape == other.shape and one.dtype == other.dtype
        return same and bool(torch.allclose(one, other, rtol=0, atol=0, equal_nan=True))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    plain = int, float, str, type(None)
    if isinstance(one, plain) and isinstance(other, plain):
        return one == other
    return one is other
