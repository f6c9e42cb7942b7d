"""Clean and backdoored networks of other libraries: each is trained once and kept in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from spikedoor.attack import Attack, Blended, Patch
from spikedoor.data import Mnist
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.files import new_folder, write_bytes
from spikedoor.metrics import attack_success, clean_accuracy

DATA = Mnist(train_limit=4000, test_limit=2000)
ATTACKS = {
    "patch": Attack(trigger=Patch(size=3, corner="top-left"), target=0, rate=0.05),
    "blended": Attack(trigger=Blended(alpha=0.2), target=0, rate=0.05),
}
AT_ONCE = {"reset_mechanism": "zero", "reset_delay": False}
Road = Literal["adapter", "nir"]


@dataclass(frozen=True)
class Library:
    """A kind of networks.

    Args:
        package: What has to be installed.
        options: Of its networks.
        counts: How many networks are clean, have a patch, have a blended trigger.
        roads: By which it comes to us.
        told: What a NIR file does not tell.
    """

    package: str
    options: dict[str, Any] = field(default_factory=dict)
    counts: tuple[int, int, int] = (1, 1, 1)
    roads: tuple[Road, ...] = ("adapter", "nir")
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """Whether networks can be trained here."""
        return find_spec(self.package) is not None

    @property
    def script(self) -> ModuleType:
        """The script that trains, asks and exports."""
        return import_module(f"foreign.{self.package}_mnist")


ADAPTER: tuple[Road, ...] = ("adapter",)
NIR: tuple[Road, ...] = ("nir",)
NORSE = {"dt": 1e-6}  # Norse 1.1 writes dt / tau_mem_inv, with dt = 1 ms, for 1 / tau_mem_inv
SINABS = {"reset": "soft", "dt": 1.0, "solver": "exact"}
LIBRARIES = {
    "spikingjelly": Library("spikingjelly", counts=(6, 3, 3)),
    "spikingjelly-soft": Library("spikingjelly", {"soft": True}, roads=ADAPTER),
    "snntorch": Library("snntorch", counts=(6, 3, 3)),
    "snntorch-zero": Library("snntorch", AT_ONCE),
    "norse": Library("norse", counts=(1, 1, 1), roads=NIR, told=NORSE),
    "norse-lif": Library("norse", {"kind": "lif"}, (1, 0, 0), NIR, NORSE),
    "sinabs": Library("sinabs", roads=NIR, told=SINABS),
    "sinabs-single": Library("sinabs", {"single": True}, (1, 1, 1), NIR, SINABS),
    "sinabs-single-lif": Library("sinabs", {"kind": "lif", "single": True}, roads=NIR, told=SINABS),
}
"""By name: "soft" takes the threshold off at a spike; "zero" resets to zero at once, as NIR's
neurons do; Norse's "lif" has a synaptic current; "single" sends at most one spike in a step."""


@dataclass(frozen=True)
class Case:
    """One network.

    Args:
        library: Of `LIBRARIES`.
        attack: "clean", or of `ATTACKS`.
        seed: Of the poison, the first weights and the order of the samples.
    """

    library: str
    attack: str
    seed: int

    @property
    def of(self) -> Library:
        """The kind that it is of."""
        return LIBRARIES[self.library]

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.library}-{self.attack}-{self.seed}"

    def train(self, root: Path) -> None:
        """Train the network, put it to the test, and keep weights, NIR and scores."""
        library, data, attacks = self.of.script, dataset(), prepared(self.seed)
        train: SampleSet = data.train
        if self.attack != "clean":
            train = attacks[self.attack].poison(data.train, self.seed)
        net = library.fit(*tensors(train), self.seed, **self.of.options)
        right = clean_accuracy(self.said(net, data.test), data.test.labels)
        scores: dict[str, Any] = {**asdict(self), "clean_accuracy": right.to_dict()}
        for name, attack in attacks.items():
            challenge = attack.challenge(data.test)
            said = self.said(net, challenge)
            found = attack_success(said, challenge.true_labels, challenge.targets)
            scores[f"{name}_success"] = found.to_dict()
        with new_folder(root / self.name) as folder:
            write_bytes(folder / "weights.safetensors", save(net.state_dict()))
            if "nir" in self.of.roads:
                library.export(net, folder / "model.nir")
            write_bytes(folder / "scores.json", json.dumps(scores, indent=1).encode())

    @property
    def steps(self) -> int:
        """Time steps."""
        return self.of.script.STEPS

    def network(self, root: Path) -> nn.Module:
        """Return the trained network, as its library has it."""
        net = self.of.script.network(**self.of.options)
        net.load_state_dict(load_file(root / self.name / "weights.safetensors"))
        return net.eval()

    def said(self, net: nn.Module, data: SampleSet) -> NDArray[Any]:
        """Return the class of each sample, as the network's library says it."""
        return self.of.script.predict(net, tensors(data)[0]).numpy()


def cases() -> list[Case]:
    """Return all networks."""
    return [
        Case(name, attack, seed)
        for name, library in LIBRARIES.items()
        for attack, seeds in zip(("clean", *ATTACKS), library.counts, strict=True)
        for seed in range(seeds)
    ]


@cache
def dataset() -> Dataset:
    """Return the images that all networks are trained on."""
    return DATA.load()


def prepared(seed: int) -> dict[str, Attack]:
    """Return the attacks with what a seed draws."""
    train = dataset().train
    return {name: attack.prepare(train, seed) for name, attack in ATTACKS.items()}


def tensors(data: SampleSet) -> tuple[Tensor, Tensor]:
    """Return images in 0..1, float32 [N, C, H, W], and labels, int64 [N]."""
    images = torch.from_numpy(data.batch(np.arange(len(data)))).float() / 255
    return images, torch.from_numpy(np.array(data.labels))
