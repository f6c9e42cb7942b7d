"""Training and asking a network, which is the same in every library but for the way it is run."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["classes", "trained"]

Forward = Callable[[nn.Module, Tensor], Tensor]
"""From a network and images [B, 1, 28, 28] to what its loss takes."""


def trained(
    make: Callable[[], nn.Module],
    forward: Forward,
    images: Tensor,
    labels: Tensor,
    seed: int,
    *,
    lr: float,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    epochs: int = 4,
    batch: int = 32,
) -> nn.Module:
    """Make a network and train it by backpropagation through time, with Adam."""
    torch.manual_seed(seed)
    net = make().train()
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            value = loss(forward(net, images[chosen]), labels[chosen])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    return net.eval()


@torch.no_grad()
def classes(net: nn.Module, scores: Forward, images: Tensor) -> Tensor:
    """Return the class of each image, that of the highest score."""
    return torch.cat([scores(net, part).argmax(1) for part in images.split(250)])
