"""The same networks as users of SpikingJelly and snnTorch write them, and in plain ReLU.

Plan of a network: an int is a 3x3 convolution with batch norm and a neuron, "pool" a 2x2 max
pool, ("hidden", n) a linear layer with batch norm and a neuron. LIF: tau 2, threshold 1, hard
reset, detached, ATan surrogate with alpha 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Plan = Sequence[int | str | tuple[str, int]]
Shape = tuple[int, int, int]


def relu_network(plan: Plan, shape: Shape, classes: int) -> nn.Module:
    """Plain ReLU network on T times the batch: what a spiking network costs at least."""
    return _stack(plan, shape, classes, nn, nn.ReLU)


def spikingjelly_network(plan: Plan, shape: Shape, classes: int) -> nn.Module:
    """Multi-step network of SpikingJelly; takes (T, N, C, H, W)."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def lif() -> nn.Module:
        return neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), detach_reset=True)

    net = _stack(plan, shape, classes, layer, lif)
    functional.set_step_mode(net, "m")
    return net


class SnnTorchNetwork(nn.Module):
    """Step loop of snnTorch; takes (T, N, C, H, W)."""

    def __init__(self, plan: Plan, shape: Shape, classes: int) -> None:
        super().__init__()
        import snntorch
        from snntorch import surrogate

        def lif() -> nn.Module:
            gradient = surrogate.atan(alpha=2.0)
            return snntorch.Leaky(
                beta=0.5, spike_grad=gradient, reset_mechanism="zero", init_hidden=True
            )

        self.net = _stack(plan, shape, classes, nn, lif)
        self.neurons = [m for m in self.net.modules() if isinstance(m, snntorch.Leaky)]

    def forward(self, x: Tensor) -> Tensor:
        for neuron in self.neurons:
            neuron.reset_mem()
        return torch.stack([self.net(frame) for frame in x])


def _stack(plan: Plan, shape: Shape, classes: int, kit: Any, activation: Any) -> nn.Sequential:
    """Stack the layers of a kit: a module with Conv2d, BatchNorm2d, MaxPool2d, Linear, Flatten."""
    channels, height, width = shape
    layers: list[nn.Module] = []
    features = None
    for part in plan:
        if isinstance(part, int):
            conv = kit.Conv2d(channels, part, 3, padding=1, bias=False)
            layers += [conv, kit.BatchNorm2d(part), activation()]
            channels = part
        elif part == "pool":
            layers.append(kit.MaxPool2d(2, 2))
            height, width = height // 2, width // 2
        else:
            linear = kit.Linear(channels * height * width, part[1], bias=False)
            layers += [kit.Flatten(), linear, kit.BatchNorm1d(part[1]), activation()]
            features = part[1]
    if features is None:
        layers.append(kit.Flatten())
        features = channels * height * width
    return nn.Sequential(*layers, kit.Linear(features, classes))
