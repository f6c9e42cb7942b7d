"""One vector a sample from what happens inside a layer, for detectors: reduced as it streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError, hint
from spikedoor.victim.probe import HEAD, Probe, Quantity, output_neuron
from spikedoor.victim.stage import Stage

__all__ = ["Kind", "features", "layer_features"]

Kind = Literal["membrane", "current", "rate", "activation", "latency", "profile"]
"""What is kept of a layer.

``membrane``: mean over time of the membrane before the reset. ``current``: of the input current.
``rate``: of the spikes; one taken back (signed neurons) counts -1. ``activation``: of what is sent
on, the rate times the height of a spike; of an ANN, its activation. ``latency``: steps before the
first spike, T without one. ``profile``: spikes of each step and channel, summed over the pixels.
"""

_NEEDS_SPIKES = ("rate", "latency", "profile")


def features(
    stage: Stage,
    data: SampleSet,
    kind: Kind = "membrane",
    layer: str | None = None,
    channels: bool = False,
    indices: NDArray[np.integer] | None = None,
    seed: int = 0,
    together: int | None = None,
) -> NDArray[np.float32]:
    """Return a vector for each sample.

    Args:
        stage: The stage to look into.
        data: Samples to show.
        kind: What to keep, see `Kind`. Of an ANN "membrane" is the pre-activation.
        layer: Path of the layer, or "head"; by default the last activation before the head.
        channels: Take the mean over the pixels of each channel. A profile always has channels.
        indices: Which samples; all by default.
        seed: Of a random encoding.
        together: As of `Probe.stream`.

    Returns:
        float32 [N, F]: F is C H W (in that order) of a map, with ``channels`` C; of a profile, T C,
        step by step.

    Raises:
        ConfigError: If there is no such kind or layer, or an ANN is asked for spikes.
    """
    chosen = _last(stage) if layer is None else layer
    return layer_features(stage, data, kind, [chosen], channels, indices, seed, together)[chosen]


def layer_features(
    stage: Stage,
    data: SampleSet,
    kind: Kind = "membrane",
    layers: Sequence[str] | None = None,
    channels: bool = False,
    indices: NDArray[np.integer] | None = None,
    seed: int = 0,
    together: int | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return what `features` does, of several layers by one simulation.

    By default of all, "head" among them; the other arguments are those of `features`.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"unknown kind of features '{kind}'{hint(kind, get_args(Kind))}")
    if stage.blueprint.neuron is None and kind in _NEEDS_SPIKES:
        raise ConfigError(
            f"stage '{stage.name}' has no spikes: expected kind 'activation', 'membrane' or "
            f"'current', got '{kind}'"
        )
    quantity: Quantity = kind if kind in ("membrane", "current") else "spikes"
    probe, reduce = Probe(stage, layers, [quantity]), _REDUCTIONS.get(kind, _mean)
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in probe.layers}
    running: dict[str, Tensor] = {}
    for piece in probe.stream(data, indices, seed, together):
        for name, traces in piece.traces.items():
            x: Tensor = getattr(traces, quantity)
            new = reduce(running.pop(name, None), piece.first, x, stage.steps)
            if piece.first + len(x) < stage.steps:
                running[name] = new
                continue
            if channels and new.dim() == 4:
                new = new.mean((2, 3), dtype=torch.float64)
            if kind == "activation":
                new = new * _height(stage, name)
            found[name].append(new.flatten(1).float().cpu().numpy())
    if not all(found.values()):
        raise ConfigError(f"expected samples of '{data.name}' to look at, got none")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _height(stage: Stage, layer: str) -> float:
    """Return what one spike of a layer sends on."""
    if layer == HEAD:
        output = output_neuron(stage)
        return 1.0 if output is None else output.amplitude
    return float(getattr(stage.network.get_submodule(layer), "amplitude", 1.0))


def _last(stage: Stage) -> str:
    """Return the last activation before the head."""
    *activations, _ = Probe(stage).layers
    if not activations:
        raise ConfigError(
            f"stage '{stage.name}' has no layer to look into but the head: expected one that is "
            'named, such as layer = "head"; or, of a wrapped module, `spiking`, paths of its layers'
        )
    return activations[-1]


def _mean(before: Tensor | None, first: int, x: Tensor, steps: int) -> Tensor:
    new = x.sum(0, dtype=torch.float64) / steps
    return new if before is None else before + new


def _latency(before: Tensor | None, first: int, x: Tensor, steps: int) -> Tensor:
    fired = x != 0
    new = torch.where(fired.any(0), first + fired.to(torch.uint8).argmax(0), steps)
    return new if before is None else torch.minimum(before, new)


def _profile(before: Tensor | None, first: int, x: Tensor, steps: int) -> Tensor:
    new = (x.flatten(3).sum(3) if x.dim() > 3 else x).transpose(0, 1)
    return new if before is None else torch.cat([before, new], 1)


_REDUCTIONS = {"latency": _latency, "profile": _profile}
"""From what the pieces before gave, first step, traces [t, B, ...] and T to [B, ...]."""
