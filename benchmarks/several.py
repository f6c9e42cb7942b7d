"""Does it pay to train several small victims of one shape at once? Three ways, one machine.

    python benchmarks/several.py [--models 4] [--steps 20] [--rounds 5]

The small conv net (28x28, T 4, batch 128, fp32): K models one after the other with all threads; K
models as one network of grouped convolutions, each with data of its own; and K models one after
the other in each of two processes of one thread. Printed: samples a second, all models together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from contextlib import suppress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikedoor.records.environment import processor
from spikedoor.snn.kernels import fire
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.neurons import LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal

BATCH, STEPS, WIDTH = 128, 4, 32
DYNAMICS = LIF().build().dynamics()


class Grouped(nn.Module):
    """K small conv nets as one: grouped convolutions, and batched products for linear layers."""

    def __init__(self, models: int) -> None:
        super().__init__()
        k, w = models, WIDTH
        self.models = k
        self.first = nn.Conv2d(k, k * w, 3, padding=1, groups=k, bias=False)
        self.second = nn.Conv2d(k * w, k * 2 * w, 3, padding=1, groups=k, bias=False)
        self.hidden = nn.Parameter(torch.randn(k, 2 * w * 49, 4 * w) / 50)
        self.head = nn.Parameter(torch.randn(k, 4 * w, 10) / 10)
        self.norms = nn.ModuleList(BatchNorm(k * n) for n in (w, 2 * w, 4 * w))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (models, batch, classes) of images (batch, models, H, W)."""
        k, frames = self.models, STEPS * BATCH
        norms: Any = self.norms
        x = fire(self.first(x), STEPS, BATCH, DYNAMICS, norms[0], "max")
        x = fire(self.second(x), STEPS, BATCH, DYNAMICS, norms[1], "max")
        x = x.unflatten(1, (k, -1)).flatten(2).transpose(0, 1) @ self.hidden
        x = x.transpose(0, 1).reshape(frames, -1)
        x = fire(x, STEPS, BATCH, DYNAMICS, norms[2]).unflatten(1, (k, -1))
        out = x.transpose(0, 1) @ self.head
        return out.unflatten(1, (STEPS, BATCH)).mean(1)


def data(models: int) -> tuple[Tensor, Tensor]:
    """Return images (batch, models, 28, 28) and labels (batch)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, models, 28, 28, generator=generator)
    return x, torch.randint(0, 10, (BATCH,), generator=generator)


def grouped(models: int, steps: int) -> float:
    """Return the seconds of so many steps of K models in one network."""
    net, (x, labels) = Grouped(models), data(models)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = x.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(net.parameters(), 0.01, 0.9)
    return timed(lambda: sum(F.cross_entropy(out, labels) for out in net(x)), optimiser, steps)


def one_by_one(models: int, steps: int) -> float:
    """Return the seconds of so many steps of each of K models."""
    x, labels = data(1)
    x = x.contiguous(memory_format=torch.channels_last)
    total = 0.0
    for seed in range(models):
        net = SmallConv(width=WIDTH).build((1, 28, 28), 10, LIF().build, seed)
        optimiser = torch.optim.SGD(net.parameters(), 0.01, 0.9)

        def loss(net: nn.Module = net) -> Tensor:
            return F.cross_entropy(net(Signal(x, STEPS, BATCH)).mean(0), labels)

        total += timed(loss, optimiser, steps)
    return total


def timed(loss: Any, optimiser: torch.optim.Optimizer, steps: int) -> float:
    """Return the seconds of some steps, after one to warm up."""
    start = 0.0
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    return time.perf_counter() - start


def _serve(pipe: Any) -> None:
    torch.set_num_threads(1)
    with suppress(EOFError):
        while True:
            pipe.send(one_by_one(*pipe.recv()))


class Pair:
    """Two processes of one thread that each train half of the models."""

    def __init__(self) -> None:
        context: Any = multiprocessing.get_context("spawn")
        self.pipes = []
        for _ in range(2):
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(theirs,), daemon=True).start()
            self.pipes.append(ours)

    def __call__(self, models: int, steps: int) -> float:
        for pipe in self.pipes:
            pipe.send((models // 2, steps))
        return max(pipe.recv() for pipe in self.pipes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    ways = {
        "one after the other": one_by_one,
        "grouped in one network": grouped,
        "two processes of one thread": Pair(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(options.rounds + 1):
        for name, way in ways.items():
            took = way(options.models, options.steps)
            if round_:
                seconds[name].append(took)
    first = statistics.median(seconds["one after the other"])
    samples = options.models * options.steps * BATCH
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:32}{samples / median:>8.0f} samples/s{first / median:>8.2f}x")


if __name__ == "__main__":
    main()
