"""Copies of modules that are left alone, whatever state they are in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.victim.foreign.neurons import reset

__all__ = ["brief", "fresh_copy", "tensors"]


def fresh_copy(module: nn.Module) -> nn.Module:
    """Return a copy whose neurons are at their start; the module keeps its membranes.

    Raises:
        ConfigError: If it is no module, or holds something that cannot be copied.
    """
    if not isinstance(module, nn.Module):
        raise ConfigError(
            f"expected a torch module, got {type(module).__name__}; make the module, then load "
            "its weights by safetensors, or torch.load(FILE, weights_only=True)"
        )
    # torch copies no tensor with a history, which a membrane has after training.
    histories = {
        id(tensor): tensor.detach().clone()
        for inner in module.modules()
        for tensor in tensors(vars(inner))
        if not tensor.is_leaf
    }
    try:
        made = copy.deepcopy(module, histories)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"the module cannot be copied: {brief(error)}") from None
    reset(made)
    return made


def brief(error: Exception) -> str:
    """Return what an error says in one short line."""
    return " ".join(str(error).split())[:200]


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from tensors(inner)
