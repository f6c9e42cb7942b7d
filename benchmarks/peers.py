"""The same networks written for SpikingJelly and snnTorch as their users write them, and in plain ReLU.

Plan of a network: an int is a 3x3 convolution with batch norm and a neuron, "pool" a 2x2 max
pool, ("hidden", n) a linear layer with a neuron. LIF: tau 2, threshold 1, hard reset, detached,
ATan surrogate with alpha 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Plan = Sequence[int | str | tuple[str, int]]


def relu_network(plan: Plan, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Plain ReLU network on T times the batch: what a spiking network costs at least."""
    return _stack(plan, shape, classes, nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.Linear, nn.Flatten, nn.ReLU)


def spikingjelly_network(plan: Plan, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Multi-step network of SpikingJelly; takes (T, N, C, H, W)."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def lif() -> nn.Module:
        return neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), detach_reset=True)

    net = _stack(
        plan, shape, classes, layer.Conv2d, layer.BatchNorm2d, layer.MaxPool2d, layer.Linear, layer.Flatten, lif
    )
    functional.set_step_mode(net, "m")
    return net


class SnnTorchNetwork(nn.Module):
    """Step loop of snnTorch; takes (T, N, C, H, W)."""

    def __init__(self, plan: Plan, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        import snntorch
        from snntorch import surrogate

        def lif() -> nn.Module:
            return snntorch.Leaky(
                beta=0.5, spike_grad=surrogate.atan(alpha=2.0), reset_mechanism="zero", init_hidden=True
            )

        self.net = _stack(
            plan, shape, classes, nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.Linear, nn.Flatten, lif
        )
        self.neurons = [m for m in self.net.modules() if isinstance(m, snntorch.Leaky)]

    def forward(self, x: Tensor) -> Tensor:
        for neuron in self.neurons:
            neuron.reset_mem()
        return torch.stack([self.net(frame) for frame in x])


def _stack(plan, shape, classes, conv, norm, pool, linear, flatten, activation) -> nn.Sequential:
    channels, height, width = shape
    layers: list[nn.Module] = []
    features = None
    for part in plan:
        if isinstance(part, int):
            layers += [conv(channels, part, 3, padding=1, bias=False), norm(part), activation()]
            channels = part
        elif part == "pool":
            layers.append(pool(2, 2))
            height, width = height // 2, width // 2
        else:
            layers += [flatten(), linear(channels * height * width, part[1]), activation()]
            features = part[1]
    if features is None:
        layers.append(flatten())
        features = channels * height * width
    return nn.Sequential(*layers, linear(features, classes))
