"""A residual network for MNIST as users of SpikingJelly write it; nothing of spikedoor is in it."""

from __future__ import annotations

from foreign.training import classes, trained
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

STEPS = 4


def _neurons() -> nn.Module:
    return neuron.LIFNode(surrogate_function=surrogate.ATan())


class Block(nn.Module):
    """Two convolutions whose spikes are added to those that came in (Fang et al. 2021, SEW)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = layer.Conv2d(width, width, 3, padding=1), layer.BatchNorm2d(width)
        self.conv2, self.bn2 = layer.Conv2d(width, width, 3, padding=1), layer.BatchNorm2d(width)
        self.sn1, self.sn2 = _neurons(), _neurons()

    def forward(self, x: Tensor) -> Tensor:
        through = self.sn1(self.bn1(self.conv1(x)))
        return self.sn2(self.bn2(self.conv2(through))) + x


class Residual(nn.Module):
    """A convolution, two residual blocks with pooling behind each, and a linear layer."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv, self.bn = layer.Conv2d(1, width, 3, 2, 1, bias=False), layer.BatchNorm2d(width)
        self.sn = _neurons()
        self.block1, self.block2 = Block(width), Block(width)
        self.pool, self.flat = layer.AvgPool2d(2, 2), layer.Flatten()
        self.fc = layer.Linear(width * 3 * 3, 10)
        functional.set_step_mode(self, "m")

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.block1(self.sn(self.bn(self.conv(x)))))
        return self.fc(self.flat(self.pool(self.block2(x))))


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Show images [B, 1, 28, 28] for all steps; the answer is the mean over time, [B, 10]."""
    functional.reset_net(net)
    return net(images.expand(STEPS, *images.shape)).mean(0)


def fit(images: Tensor, labels: Tensor, seed: int, epochs: int = 4) -> nn.Module:
    """Train a network."""
    return trained(Residual, forward, images, labels, seed, lr=5e-3, epochs=epochs)


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class of each image."""
    return classes(net, forward, images)
