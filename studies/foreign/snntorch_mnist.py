"""A network for MNIST as users of snnTorch write it; nothing of spikedoor is needed here."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import nir
import snntorch as snn
import torch
from foreign.training import classes, trained
from snntorch import functional, utils
from snntorch.export_nir import export_to_nir
from torch import Tensor, nn

STEPS = 4


def network(**reset: Any) -> nn.Sequential:
    """Two convolutions and a linear layer with Leaky neurons, as in snnTorch's tutorial 6.

    Args:
        reset: How the neurons reset; snnTorch's default takes the threshold off one step later.
    """

    def leaky(**more: Any) -> nn.Module:
        return snn.Leaky(beta=0.5, init_hidden=True, **reset, **more)

    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.AvgPool2d(2),
        leaky(),
        nn.Conv2d(8, 16, 3),
        nn.AvgPool2d(2),
        leaky(),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
        leaky(output=True),
    )


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Show images [B, 1, 28, 28] step by step; the spikes of the last layer, [T, B, 10]."""
    utils.reset(net)
    return torch.stack([net(images)[0] for _ in range(STEPS)])


def _counts(net: nn.Module, images: Tensor) -> Tensor:
    return forward(net, images).sum(0)


def fit(images: Tensor, labels: Tensor, seed: int, epochs: int = 4, **options: Any) -> nn.Module:
    """Train a network."""
    return trained(
        partial(network, **options),
        forward,
        images,
        labels,
        seed,
        lr=5e-3,
        loss=functional.ce_count_loss(),
        epochs=epochs,
    )


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image, that whose neuron fires most."""
    return classes(net, _counts, images)


def export(net: nn.Module, path: Path) -> None:
    """Write a network as NIR with snnTorch's exporter.

    snnTorch 1.0 cannot write a neuron behind a convolution unless its constants have the neurons'
    shape, and takes the batch for a part of the input unless told not to.
    """
    sample = torch.zeros(1, 1, 28, 28)
    net = copy.deepcopy(net)
    utils.reset(net)
    net(sample)
    for module in net.modules():
        if isinstance(module, snn.Leaky):
            shape = module.mem.shape[1:]
            for name in ("beta", "threshold"):
                setattr(module, name, getattr(module, name).expand(shape).clone())
    utils.reset(net)
    nir.write(path, export_to_nir(net, sample, ignore_dims=[0]))
