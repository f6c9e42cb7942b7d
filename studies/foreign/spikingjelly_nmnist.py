"""A network for N-MNIST as users of SpikingJelly write it; nothing of spikedoor is needed here."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

STEPS = 8


def network() -> nn.Sequential:
    """Convolutions with norms, LIF neurons and pools, as SpikingJelly has them for DVS data."""
    net = nn.Sequential(
        layer.Conv2d(2, 8, 3, padding=1, bias=False),
        layer.BatchNorm2d(8),
        neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True),
        layer.MaxPool2d(2, 2),
        layer.Conv2d(8, 16, 3, padding=1, bias=False),
        layer.BatchNorm2d(16),
        neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True),
        layer.MaxPool2d(2, 2),
        layer.Flatten(),
        layer.Linear(16 * 8 * 8, 10),
    )
    functional.set_step_mode(net, "m")
    return net


def forward(net: nn.Module, frames: Tensor) -> Tensor:
    """Show frames [B, T, 2, 34, 34]; the answer is the mean over time, [B, 10]."""
    functional.reset_net(net)
    return net(frames.transpose(0, 1)).mean(0)


def fit(frames: Tensor, labels: Tensor, seed: int, epochs: int = 8, batch: int = 16) -> nn.Module:
    """Train a network by backpropagation through time."""
    torch.manual_seed(seed)
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(frames)).split(batch):
            loss = F.cross_entropy(forward(net, frames[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


@torch.no_grad()
def predict(net: nn.Module, frames: Tensor) -> Tensor:
    """Return the class of each recording."""
    return torch.cat([forward(net, part).argmax(1) for part in frames.split(100)])
