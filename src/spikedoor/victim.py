"""What a rule returns: the stages a network went through, each of which can be asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError, DataError, hint
from spikedoor.files import new_folder, write_bytes
from spikedoor.progress import bar
from spikedoor.rng import torch_generator
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture, Network
from spikedoor.snn.neurons import Neuron
from spikedoor.snn.precision import Precision, autocast
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.snn.signal import Signal

__all__ = ["Blueprint", "Stage", "StageName", "Victim", "to_floats"]

StageName = Literal["ann", "converted", "finetuned", "direct"]

_FORMAT = 1
_FRAMES = 2048  # simulated at once: more takes memory and gains no time


def to_floats(images: NDArray[np.uint8]) -> Tensor:
    """Return uint8 images as floats in [0, 1], channels last in memory."""
    batch = torch.from_numpy(images).to(memory_format=torch.channels_last)
    return batch.float().div_(255)


@dataclass(frozen=True)
class Blueprint:
    """All that is needed to build a stage's network again, but its weights.

    Args:
        architecture: The network's plan.
        shape: Channels, height and width of a frame.
        classes: Names of the classes.
        neuron: Neuron model; None for an ANN.
        folded: Whether batch norm is merged into the layers.
    """

    architecture: Architecture
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    neuron: Neuron | None = None
    folded: bool = False

    def build(self, seed: int | None) -> Network:
        """Make the network with fresh weights, or with none to be loaded."""
        activation = Rectifier if self.neuron is None else self.neuron.build
        network = self.architecture.build(self.shape, len(self.classes), activation, seed)
        if self.folded:
            for synapse in network.synapses():
                synapse.fold()
        return network

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `from_dict` reads them back."""
        return {
            "architecture": self.architecture.to_dict(),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "neuron": self.neuron.to_dict() if self.neuron else None,
            "folded": self.folded,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make a blueprint from plain values."""
        return cls(
            Architecture.from_dict(value["architecture"]),
            tuple(value["shape"]),
            tuple(value["classes"]),
            Neuron.from_dict(value["neuron"]) if value["neuron"] else None,
            bool(value["folded"]),
        )


@dataclass(frozen=True, eq=False)
class Stage:
    """A network with what surrounds it: from images to predictions at each step.

    Args:
        name: Which stage of a victim this is.
        blueprint: How to build the network again.
        network: The network.
        steps: Time steps T; 1 for an ANN.
        encoding: From image to current.
        readout: From head to scores.
        notes: Plain values for the record: training log, seconds, conversion report.
    """

    name: StageName
    blueprint: Blueprint
    network: Network
    steps: int = 1
    encoding: Encoding = field(default_factory=Direct)
    readout: Readout = field(default_factory=MeanCurrent)
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(
                f"stage '{self.name}': expected 1 time step or more, got {self.steps}"
            )

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network.parameters()).device

    def encode(self, images: Tensor, generator: torch.Generator) -> Signal:
        """Return the signal of a batch of float images in [0, 1]."""
        return self.encoding.encode(images, self.steps, generator)

    def scores(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return class scores as they stand after each step.

        Shapes:
            images: (batch, C, H, W), float in [0, 1]. Result: (steps, batch, classes).
        """
        return self.readout.scores(self.network(self.encode(images, generator)))

    @torch.inference_mode()
    def predict(
        self,
        data: SampleSet,
        seed: int = 0,
        indices: NDArray[np.integer] | None = None,
        precision: Precision = "fp32",
        title: str | None = "predict",
    ) -> NDArray[np.int64]:
        """Return the predicted class after each step, by one simulation.

        Args:
            data: Samples to ask about.
            seed: Of a random encoding.
            indices: Which samples; all by default.
            precision: Arithmetic of the layers.
            title: Of the progress bar; None for none.

        Returns:
            (steps, samples), integers.
        """
        chosen = np.arange(len(data)) if indices is None else np.asarray(indices)
        generator = torch_generator(seed, f"prediction of {self.name}", self.device)
        size = min(max(_FRAMES // self.steps, 4), 512)
        found = []
        self.network.eval()
        with bar(title or "", len(chosen), visible=title is not None) as advance:
            for first in range(0, len(chosen), size):
                batch = chosen[first : first + size]
                images = to_floats(data.batch(batch)).to(self.device)
                with autocast(precision, self.device):
                    scores = self.scores(images, generator)
                found.append(scores.argmax(2).cpu())
                advance(len(batch))
        if not found:
            return np.zeros((self.steps, 0), dtype=np.int64)
        return torch.cat(found, 1).numpy()

    def to(self, device: str | torch.device) -> Stage:
        """Return the stage with its network moved to a device (the network itself moves)."""
        return replace(self, network=self.network.to(device))


@dataclass(frozen=True, eq=False)
class Victim:
    """The stages of a trained network, in the order they came about."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"a victim needs one or more stages of different names, got {names}")

    def __getitem__(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = [stage.name for stage in self.stages]
        raise ConfigError(f"the victim has no stage '{name}'{hint(name, names)}")

    @property
    def final(self) -> Stage:
        """The last stage: the network that is put to use."""
        return self.stages[-1]

    def save(self, folder: str | Path) -> Path:
        """Write the victim to a new folder: ``victim.json`` and one safetensors file a stage.

        Raises:
            OutputError: If the folder exists already or cannot be written.
        """
        from safetensors.torch import save

        with new_folder(folder) as target:
            described = []
            for stage in self.stages:
                state = {k: v.contiguous().cpu() for k, v in stage.network.state_dict().items()}
                write_bytes(target / f"{stage.name}.safetensors", save(state))
                described.append(
                    {
                        "name": stage.name,
                        "blueprint": stage.blueprint.to_dict(),
                        "steps": stage.steps,
                        "encoding": stage.encoding.to_dict(),
                        "readout": stage.readout.to_dict(),
                        "notes": stage.notes,
                    }
                )
            text = json.dumps({"format": _FORMAT, "stages": described}, indent=1)
            write_bytes(target / "victim.json", text.encode())
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a victim written by `save`. Nothing in the folder can run code.

        Raises:
            DataError: If a file is missing, damaged, or not of this format.
        """
        folder = Path(folder)
        try:
            described = json.loads((folder / "victim.json").read_text())
            if described["format"] != _FORMAT:
                raise DataError(
                    f"{folder}: expected victim format {_FORMAT}, found {described['format']}"
                )
            return cls(tuple(_load_stage(folder, entry) for entry in described["stages"]))
        except DataError:
            raise
        except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(f"{folder}: not a readable victim folder ({reason})") from error


def _load_stage(folder: Path, entry: dict[str, Any]) -> Stage:
    if entry["name"] not in get_args(StageName):
        raise DataError(f"victim.json: unknown stage '{entry['name']}'")
    path = folder / f"{entry['name']}.safetensors"
    blueprint = Blueprint.from_dict(entry["blueprint"])
    stage = Stage(
        entry["name"],
        blueprint,
        _load_network(path, blueprint),
        int(entry["steps"]),
        Encoding.from_dict(entry["encoding"]),
        Readout.from_dict(entry["readout"]),
        entry["notes"],
    )
    replace(stage, steps=1).scores(torch.zeros(1, *blueprint.shape), torch.Generator())
    return stage


def _load_network(path: Path, blueprint: Blueprint) -> Network:
    """Build a network and fill it from a file; no memory is filled before the shapes agree."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = load(path.read_bytes())
    except SafetensorError as error:
        raise DataError(f"{path.name}: not a readable safetensors file ({error})") from error
    network = replace(blueprint, folded=False).build(None)
    for name, weight in network.named_parameters():
        if name in state and state[name].shape != weight.shape:
            raise DataError(
                f"{path.name}: weights do not fit the network described: expected {name} of "
                f"shape {list(weight.shape)}, found {list(state[name].shape)}"
            )
    if blueprint.folded:
        for synapse in network.synapses():
            synapse.fold()
    for name, module in network.named_modules():
        if isinstance(module, Spiking) and f"{name}.initial" in state:
            module.initial = torch.empty_like(state[f"{name}.initial"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"{path.name}: weights do not fit the network described: {reason}"
        ) from None
    return network.eval()
