"""A network for MNIST as users of sinabs write it; nothing of spikedoor is needed here."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import sinabs  # pyright: ignore[reportMissingImports]
import sinabs.layers as sl  # pyright: ignore[reportMissingImports]
import torch
from foreign import nir_nodes
from foreign.training import classes, trained
from sinabs.activation import MultiSpike, SingleSpike  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn

STEPS = 4


def network(kind: str = "iaf", single: bool = False) -> nn.Sequential:
    """Two convolutions and a linear layer with neurons behind it, as in sinabs's tutorials.

    Args:
        kind: Neurons without a leak ("iaf"), or with one ("lif").
        single: At most one spike in a step; sinabs's default sends as many as the membrane has
            thresholds.
    """

    def neurons() -> nn.Module:
        settings: dict[str, Any] = {
            "num_timesteps": STEPS,
            "spike_fn": SingleSpike if single else MultiSpike,
            "spike_threshold": torch.tensor(1.0),  # the default is one tensor for all layers
        }
        return (
            sl.IAFSqueeze(**settings) if kind == "iaf" else sl.LIFSqueeze(tau_mem=2.0, **settings)
        )

    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        sl.SumPool2d(2),
        neurons(),
        nn.Conv2d(8, 16, 3),
        sl.SumPool2d(2),
        neurons(),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
        neurons(),
    )


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Show images [B, 1, 28, 28] for all steps; the answer is the number of spikes, [B, 10]."""
    spikes = net(images.repeat_interleave(STEPS, 0))
    forget(net)
    return spikes.unflatten(0, (-1, STEPS)).sum(1)


def forget(net: nn.Module) -> None:
    """Take the membranes of the last batch away, which would be saved with the weights."""
    for layer in net.children():
        if isinstance(layer, sl.StatefulLayer):
            layer.v_mem = torch.zeros(0)


def fit(images: Tensor, labels: Tensor, seed: int, epochs: int = 4, **options: Any) -> nn.Module:
    """Train a network."""
    return trained(
        partial(network, **options), forward, images, labels, seed, lr=1e-3, epochs=epochs
    )


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image, that whose neuron fires most."""
    return classes(net, forward, images)


def export(net: nn.Module, path: Path) -> None:
    """Write a network as NIR with sinabs's exporter."""
    sample = torch.zeros(STEPS, 1, 28, 28)
    net(sample)
    nir_nodes.write(sinabs.to_nir(net, sample), net, sample, path)
    forget(net)
