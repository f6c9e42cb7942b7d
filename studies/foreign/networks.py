"""Clean and backdoored networks of other libraries: each is trained once and kept in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from foreign.tasks import TASKS, Task
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import nn

from spikedoor.data.base import SampleSet
from spikedoor.files import new_folder, write_bytes
from spikedoor.metrics import attack_success, clean_accuracy

AT_ONCE = {"reset_mechanism": "zero", "reset_delay": False}
Road = Literal["adapter", "nir"]


@dataclass(frozen=True)
class Library:
    """A kind of networks.

    Args:
        package: What has to be installed.
        options: Of its networks.
        counts: How many networks are clean, and have each attack of the task.
        roads: By which it comes to us.
        told: What a NIR file does not tell.
        on: Of `TASKS`.
    """

    package: str
    options: dict[str, Any] = field(default_factory=dict)
    counts: tuple[int, ...] = (1, 1, 1)
    roads: tuple[Road, ...] = ("adapter", "nir")
    told: dict[str, Any] = field(default_factory=dict)
    on: str = "mnist"

    @property
    def task(self) -> Task:
        """Data and attacks."""
        return TASKS[self.on]

    @property
    def installed(self) -> bool:
        """Whether networks can be trained here."""
        return find_spec(self.package) is not None

    @property
    def script(self) -> ModuleType:
        """The script that trains, asks and exports."""
        return import_module(f"foreign.{self.package}_{self.on}")


ADAPTER: tuple[Road, ...] = ("adapter",)
NIR: tuple[Road, ...] = ("nir",)
NORSE = {"dt": 1e-6}  # Norse 1.1 writes dt / tau_mem_inv, with dt = 1 ms, for 1 / tau_mem_inv
SINABS = {"reset": "soft", "dt": 1.0, "solver": "exact"}
LIBRARIES = {
    "spikingjelly": Library("spikingjelly", counts=(6, 3, 3)),
    "spikingjelly-soft": Library("spikingjelly", {"soft": True}, roads=ADAPTER),
    "spikingjelly-events": Library("spikingjelly", counts=(1, 1), roads=ADAPTER, on="nmnist"),
    "snntorch": Library("snntorch", counts=(6, 3, 3)),
    "snntorch-zero": Library("snntorch", AT_ONCE),
    "norse": Library("norse", counts=(3, 3, 3), roads=NIR, told=NORSE),
    "norse-lif": Library("norse", {"kind": "lif"}, (1, 0, 0), NIR, NORSE),
    "sinabs": Library("sinabs", roads=NIR, told=SINABS),
    "sinabs-single": Library("sinabs", {"single": True}, (3, 3, 3), NIR, SINABS),
    "sinabs-single-lif": Library("sinabs", {"kind": "lif", "single": True}, roads=NIR, told=SINABS),
}
"""By name: "soft" takes the threshold off at a spike; "zero" resets to zero at once, as NIR's
neurons do; Norse's "lif" has a synaptic current; "single" sends at most one spike in a step."""


@dataclass(frozen=True)
class Case:
    """One network.

    Args:
        library: Of `LIBRARIES`.
        attack: "clean", or one of the task.
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
        library, task = self.of.script, self.of.task
        attacks = task.prepared(self.seed)
        train: SampleSet = task.data.train
        if self.attack != "clean":
            train = attacks[self.attack].poison(train, self.seed)
        net = library.fit(*task.tensors(train, self.steps), self.seed, **self.of.options)
        right = clean_accuracy(self.said(net, task.data.test), task.data.test.labels)
        scores: dict[str, Any] = {**asdict(self), "clean_accuracy": right.to_dict()}
        for name, attack in attacks.items():
            challenge = attack.challenge(task.data.test)
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
        return self.of.script.predict(net, self.of.task.tensors(data, self.steps)[0]).numpy()


def cases() -> list[Case]:
    """Return all networks."""
    return [
        Case(name, attack, seed)
        for name, library in LIBRARIES.items()
        for attack, seeds in zip(("clean", *library.task.attacks), library.counts, strict=True)
        for seed in range(seeds)
    ]
