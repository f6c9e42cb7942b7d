"""What networks of other libraries are trained on, and how it is poisoned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from spikedoor.attack import Attack, Blended, EventStatic, Patch
from spikedoor.data import DataSource, Mnist, NMnist
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.data.events import Framing
from spikedoor.snn.encoding import Direct, Encoding, Frames

__all__ = ["TASKS", "Task"]


@dataclass(frozen=True, eq=False)
class Task:
    """Data and attacks.

    Args:
        source: Of the data.
        attacks: By name.
        encoding: What the networks are shown.
    """

    source: DataSource
    attacks: dict[str, Attack]
    encoding: Encoding

    @cached_property
    def data(self) -> Dataset:
        """The data."""
        return self.source.load()

    def prepared(self, seed: int) -> dict[str, Attack]:
        """Return the attacks with what a seed draws."""
        train = self.data.train
        return {name: attack.prepare(train, seed) for name, attack in self.attacks.items()}

    def tensors(self, data: SampleSet, steps: int) -> tuple[Tensor, Tensor]:
        """Return what networks are shown, and labels.

        Shapes:
            Result: images in 0..1, float32 [N, C, H, W], or frames [N, T, C, H, W]; int64 [N].
        """
        shown = self.encoding.tensor(data.batch(np.arange(len(data))), steps)
        return shown.contiguous(), torch.from_numpy(np.array(data.labels))


AS_SPIKINGJELLY = Frames(framing=Framing(remainder="last"), scale="raw", gain=1.0)
TASKS = {
    "mnist": Task(
        Mnist(train_limit=4000, test_limit=2000),
        {
            "patch": Attack(trigger=Patch(size=3, corner="top-left"), target=0, rate=0.05),
            "blended": Attack(trigger=Blended(alpha=0.2), target=0, rate=0.05),
        },
        Direct(),
    ),
    "nmnist": Task(
        NMnist(),
        {"patch": Attack(trigger=EventStatic(size=3, rate=40), target=0, rate=0.1)},
        AS_SPIKINGJELLY,
    ),
}
"""On N-MNIST the patch is a square of pixels that fire 40 times a second."""
