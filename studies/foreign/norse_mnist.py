"""A network for MNIST as users of Norse write it; nothing of spikedoor is needed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import norse.torch as norse
import torch
import torch.nn.functional as F
from foreign import nir_nodes
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


def fit(
    images: Tensor, labels: Tensor, seed: int, epochs: int = 4, batch: int = 32, **options: Any
) -> nn.Module:
    """Train a network by backpropagation through time."""
    torch.manual_seed(seed)
    net = network(**options)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            loss = F.cross_entropy(forward(net, images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


@torch.no_grad()
def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image."""
    return torch.cat([forward(net, part).argmax(1) for part in images.split(250)])


def export(net: nn.Module, path: Path) -> None:
    """Write a network as NIR with Norse's exporter, which leaves out pools and flattening."""
    sample = torch.zeros(1, 1, 28, 28)
    nir_nodes.write(norse.to_nir(net, sample), net, sample, path)
