"""A network for MNIST as users of SpikingJelly write it; nothing of spikedoor is needed here."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from foreign.training import classes, trained
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from spikingjelly.activation_based.nir_exchange import export_to_nir
from torch import Tensor, nn

STEPS = 4


def network(soft: bool = False) -> nn.Sequential:
    """Two convolutions and a linear layer; LIF neurons with SpikingJelly's defaults.

    Args:
        soft: Take the threshold off at a spike, in place of going back to zero.
    """

    def neurons() -> nn.Module:
        reset = None if soft else 0.0
        return neuron.LIFNode(v_reset=reset, surrogate_function=surrogate.ATan())

    net = nn.Sequential(
        layer.Conv2d(1, 8, 3),
        layer.AvgPool2d(2, 2),
        neurons(),
        layer.Conv2d(8, 16, 3),
        layer.AvgPool2d(2, 2),
        neurons(),
        layer.Flatten(),
        layer.Linear(16 * 5 * 5, 10),
    )
    functional.set_step_mode(net, "m")
    return net


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Show images [B, 1, 28, 28] for all steps; the answer is the mean over time, [B, 10]."""
    functional.reset_net(net)
    return net(images.expand(STEPS, *images.shape)).mean(0)


def fit(images: Tensor, labels: Tensor, seed: int, epochs: int = 4, **options: Any) -> nn.Module:
    """Train a network."""
    return trained(
        partial(network, **options), forward, images, labels, seed, lr=1e-2, epochs=epochs
    )


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image."""
    return classes(net, forward, images)


def export(net: nn.Module, path: Path) -> None:
    """Write a network as NIR with SpikingJelly's exporter."""
    functional.reset_net(net)
    export_to_nir(net, torch.zeros(STEPS, 1, 1, 28, 28), save_path=path)
