"""Networks with branches, as users of SpikingJelly write them, and one that is a backdoored victim.

`pytest.importorskip` before this is imported.
"""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from spikedoor.attack import Attack, Patch
from spikedoor.snn.signal import Signal
from spikedoor.testing.cases import Case, digits
from spikedoor.victim import Stage, wrap_module

STEPS = 4
SHAPE = (1, 8, 8)


def lif(**settings):
    settings = {"v_threshold": 0.5, **settings}
    return neuron.LIFNode(1.5, surrogate_function=surrogate.ATan(), **settings)


class Block(nn.Module):
    """Spike-element-wise: what two convolutions send on is added to what came in, as spikes."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = layer.Conv2d(width, width, 3, padding=1), layer.BatchNorm2d(width)
        self.conv2, self.bn2 = layer.Conv2d(width, width, 3, padding=1), layer.BatchNorm2d(width)
        self.sn1, self.sn2 = lif(), lif()

    def forward(self, x):
        through = self.sn1(self.bn1(self.conv1(x)))
        return self.sn2(self.bn2(self.conv2(through))) + x


class Residual(nn.Module):
    def __init__(self, width=8, side=8, classes=10):
        super().__init__()
        self.conv, self.sn = layer.Conv2d(1, width, 3, padding=1), lif()
        self.bn = layer.BatchNorm2d(width)
        self.block = Block(width)
        self.pool, self.flat = layer.AvgPool2d(2, 2), layer.Flatten()
        self.fc = layer.Linear(width * (side // 2) ** 2, classes)

    def forward(self, x):
        return self.fc(self.flat(self.pool(self.block(self.sn(self.bn(self.conv(x)))))))


def residual(mode, seed=0, classes=10, width=8):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Residual(width, classes=classes)
    functional.set_step_mode(made, mode)
    return made.eval()


def fit(net, images, labels, epochs, batch=64, seed=0):
    """Train a network that takes all steps at once, as its users do."""
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    order = torch.Generator().manual_seed(seed)
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=order).split(batch):
            functional.reset_net(net)
            shown = images[chosen].expand(STEPS, -1, -1, -1, -1)
            loss = F.cross_entropy(net(shown).mean(0), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


def tensors(data):
    """Return images in 0..1 and labels."""
    images = torch.from_numpy(data.batch(np.arange(len(data)))).float() / 255
    return images, torch.from_numpy(np.array(data.labels))


@cache
def planted():
    """Return a residual network that was trained on digits with a backdoor, and wrapped."""
    data = digits()
    attack = Attack(trigger=Patch(size=2), target=0, rate=0.1)
    train = attack.poison(data.train, 0)
    net = fit(residual("m"), *tensors(train), epochs=4)
    return Case(wrap_module(net, SHAPE, data.train.classes, STEPS), data, train, attack)


def frames(steps: int = STEPS, samples: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(steps, samples, *SHAPE, generator=generator) * 3


def ours(stage: Stage, x: torch.Tensor) -> torch.Tensor:
    """What comes before the readout, at each step; of one image, shown at all of them."""
    shown = x.flatten(0, 1) if x.dim() == 5 else x
    with torch.no_grad():
        return stage.network(Signal(shown, stage.steps, x.shape[-4]))
