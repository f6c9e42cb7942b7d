"""Training step and inference beside SpikingJelly 2.0, snnTorch 1.0 and the plain ReLU network.

    python benchmarks/training.py [--task small event vgg11] [--rounds 7] [--out FILE.json]

All variants run in this one process, interleaved in alternating order; a ratio is the median of
the ratios of each round. The allocator settings of spikedoor hold for all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F
from peers import Plan, SnnTorchNetwork, relu_network, spikingjelly_network
from torch import nn

from spikedoor.records.environment import processor
from spikedoor.snn import kernels
from spikedoor.snn.networks import VGG, SmallConv
from spikedoor.snn.neurons import LIF
from spikedoor.snn.signal import Signal

SMALL: Plan = (32, "pool", 64, "pool", ("hidden", 128))
VGG11: Plan = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool")
TASKS = {
    "small": (SmallConv(pool="max"), SMALL, (1, 28, 28), 4, 128, True),
    "event": (SmallConv(pool="max"), SMALL, (2, 34, 34), 10, 64, False),
    "vgg11": (VGG(depth=11, pool="max"), VGG11, (3, 32, 32), 4, 32, True),
}
BASELINES = ("SpikingJelly 2.0, fp32", "snnTorch 1.0, fp32")


def autocast(bf16: bool):
    return torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()


class Variant:
    """One network with its step functions."""

    def __init__(
        self,
        net: nn.Module,
        forward: Callable[[nn.Module], torch.Tensor],
        labels: torch.Tensor,
        bf16: bool,
        after: Callable[[nn.Module], None] | None = None,
        backend: kernels.Backend = "auto",
    ) -> None:
        self.net, self.forward, self.labels, self.bf16, self.after = (
            net,
            forward,
            labels,
            bf16,
            after,
        )
        self.backend: kernels.Backend = backend
        self.optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=True)

    def train(self) -> None:
        self.net.train()
        self.optimiser.zero_grad()
        with kernels.use(self.backend):
            with autocast(self.bf16):
                logits = self.forward(self.net).float()
            F.cross_entropy(logits, self.labels).backward()
        self.optimiser.step()
        if self.after:
            self.after(self.net)

    def infer(self) -> None:
        self.net.eval()
        with torch.inference_mode(), kernels.use(self.backend), autocast(self.bf16):
            self.forward(self.net)
        if self.after:
            self.after(self.net)


def variants(task: str) -> dict[str, Variant]:
    from spikingjelly.activation_based import functional

    spec, plan, shape, steps, batch, constant = TASKS[task]
    generator = torch.Generator().manual_seed(0)
    frames = (batch,) if constant else (steps, batch)
    x = torch.rand(*frames, *shape, generator=generator)
    if not constant:
        x = (x > 0.9).float()
    labels = torch.randint(0, 10, (batch,), generator=generator)
    last = torch.channels_last

    def ours(net: nn.Module) -> torch.Tensor:
        data = x if constant else x.flatten(0, 1)
        return net(Signal(data.contiguous(memory_format=last), steps, batch)).mean(0)

    def peer(net: nn.Module) -> torch.Tensor:
        return net(x.unsqueeze(0).repeat(steps, *[1] * x.dim()) if constant else x).mean(0)

    def relu(net: nn.Module) -> torch.Tensor:
        data = x.repeat(steps, 1, 1, 1) if constant else x.flatten(0, 1)
        return net(data).unflatten(0, (steps, batch)).mean(0)

    def spikedoor(bf16: bool, backend: kernels.Backend = "auto") -> Variant:
        return Variant(spec.build(shape, 10, LIF().build, 0), ours, labels, bf16, backend=backend)

    def jelly(bf16: bool) -> Variant:
        net = spikingjelly_network(plan, shape, 10)
        return Variant(
            net.to(memory_format=last) if bf16 else net, peer, labels, bf16, functional.reset_net
        )

    def torchy(bf16: bool) -> Variant:
        net = SnnTorchNetwork(plan, shape, 10)
        return Variant(net.to(memory_format=last) if bf16 else net, peer, labels, bf16)

    def plain(bf16: bool) -> Variant:
        net = relu_network(plan, shape, 10)
        return Variant(net.to(memory_format=last) if bf16 else net, relu, labels, bf16)

    made = {
        "spikedoor, bf16": spikedoor(True),
        "spikedoor, fp32": spikedoor(False),
        "spikedoor without compiler, bf16": spikedoor(True, "torch"),
        "spikedoor without compiler, fp32": spikedoor(False, "torch"),
        "SpikingJelly 2.0, fp32": jelly(False),
        "SpikingJelly 2.0, bf16 channels_last": jelly(True),
        "snnTorch 1.0, fp32": torchy(False),
        "snnTorch 1.0, bf16 channels_last": torchy(True),
        "ReLU on T x batch, fp32": plain(False),
        "ReLU on T x batch, bf16 channels_last": plain(True),
    }
    if not torch.cpu._is_avx512_bf16_supported():
        made = {name: v for name, v in made.items() if "bf16" not in name}
    return made


def measure(task: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds of each round, by mode and variant."""
    made = variants(task)
    times: dict[str, dict[str, list[float]]] = {"training": {}, "inference": {}}
    for mode, seconds in times.items():
        for round_ in range(rounds + 1):
            order = list(made) if round_ % 2 else list(made)[::-1]
            for name in order:
                step = made[name].train if mode == "training" else made[name].infer
                start = time.perf_counter()
                step()
                step()
                if round_:
                    seconds.setdefault(name, []).append((time.perf_counter() - start) / 2)
    return times


def table(task: str, mode: str, seconds: dict[str, list[float]], batch: int) -> list[dict]:
    """Return rows: samples a second, and the ratio to the better of the two peers in fp32.

    The better peer is the one with the lower median; ratios are taken round by round.
    """
    better = min((seconds[name] for name in BASELINES), key=statistics.median)
    rows = []
    for name, taken in seconds.items():
        ratio = statistics.median(b / t for b, t in zip(better, taken, strict=True))
        rows.append(
            {
                "task": task,
                "mode": mode,
                "variant": name,
                "samples_per_s": batch / statistics.median(taken),
                "ratio": ratio,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--task", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print(f"{processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    rows: list[dict] = []
    for task in options.task:
        times = measure(task, options.rounds)
        for mode, seconds in times.items():
            part = table(task, mode, seconds, TASKS[task][4])
            rows += part
            print(f"\n{task}, {mode}: samples/s and ratio to the better peer in fp32")
            for row in part:
                print(f"  {row['variant']:<40}{row['samples_per_s']:>10.0f}{row['ratio']:>8.2f}x")
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
