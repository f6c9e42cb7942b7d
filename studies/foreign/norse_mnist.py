"""A network for MNIST as users of Norse write it; nothing of spikedoor is needed here."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import norse.torch as norse  # pyright: ignore[reportMissingImports]
import torch
from foreign import nir_nodes
from foreign.training import classes, trained
from torch import Tensor, nn

STEPS = 4
NEURONS = {
    "box": (norse.LIFBoxCell, norse.LIFBoxParameters),
    "lif": (norse.LIFCell, norse.LIFParameters),
}


def network(kind: str = "box") -> nn.Module:
    """Two convolutions and a linear layer, whose mean over time is the answer.

    Args:
        kind: LIF without a synaptic current ("box"), or Norse's usual one with it ("lif"). A
            membrane keeps half in a step of 1 ms; Norse's default of 0.9 is slow for 4 steps.
    """
    cell, parameters = NEURONS[kind]

    def neurons() -> nn.Module:
        return cell(parameters(tau_mem_inv=torch.tensor(500.0)))

    return norse.SequentialState(
        nn.Conv2d(1, 8, 3),
        nn.AvgPool2d(2),
        neurons(),
        nn.Conv2d(8, 16, 3),
        nn.AvgPool2d(2),
        neurons(),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
    )


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Show images [B, 1, 28, 28] step by step; the answer is the mean over time, [B, 10]."""
    state, answers = None, []
    for _ in range(STEPS):
        answer, state = net(images, state)
        answers.append(answer)
    return torch.stack(answers).mean(0)


def fit(images: Tensor, labels: Tensor, seed: int, epochs: int = 4, **options: Any) -> nn.Module:
    """Train a network."""
    return trained(
        partial(network, **options), forward, images, labels, seed, lr=1e-2, epochs=epochs
    )


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image."""
    return classes(net, forward, images)


def export(net: nn.Module, path: Path) -> None:
    """Write a network as NIR with Norse's exporter, which leaves out pools and flattening."""
    sample = torch.zeros(1, 1, 28, 28)
    nir_nodes.write(norse.to_nir(net, sample), net, sample, path)
