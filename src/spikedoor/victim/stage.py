"""A network with what surrounds it: from samples to predictions after each step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.rng import torch_generator
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.kernels import sparse
from spikedoor.snn.networks import Network
from spikedoor.snn.precision import Precision, autocast
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.snn.signal import Signal
from spikedoor.victim.blueprint import Blueprint

__all__ = ["Stage", "StageName"]

StageName = Literal["ann", "converted", "finetuned", "direct", "repaired"]

_PIECE = 4  # steps simulated at once
_PIXELS = 2048 * 32 * 32  # simulated at once: more takes memory and gains no time


@dataclass(frozen=True, eq=False)
class Stage:
    """A network with what surrounds it: from samples to predictions at each step.

    Args:
        name: Which stage of a victim this is.
        blueprint: How to build the network again.
        network: The network.
        steps: Time steps T; 1 for an ANN.
        encoding: From sample to current.
        readout: From head to scores.
        notes: Plain values for the record: training log, seconds, conversion report.
    """

    name: StageName
    blueprint: Blueprint
    network: Network = field(repr=False)
    steps: int = 1
    encoding: Encoding = field(default_factory=Direct)
    readout: Readout = field(default_factory=MeanCurrent)
    notes: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(
                f"stage '{self.name}': expected 1 time step or more, got {self.steps}"
            )

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network.parameters()).device

    def prepare(self, batch: Any) -> Tensor:
        """Return a batch, as a set of samples gives it, as the floats that `encode` takes."""
        return self.encoding.tensor(batch, self.steps)

    def encode(self, inputs: Tensor, generator: torch.Generator) -> Signal:
        """Return the signal of a prepared batch."""
        return self.encoding.encode(inputs, self.steps, generator)

    def scores(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return class scores as they stand after each step.

        Shapes:
            inputs: A prepared batch; of images, (batch, C, H, W), float in [0, 1].
                Result: (steps, batch, classes).
        """
        return self.readout.scores(self.network(self.encode(inputs, generator)))

    def pieces(self, inputs: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the head's output a few steps at a time, so that memory does not grow with T.

        The pieces are of the same size whatever T is, so the last one may go on beyond it.

        Shapes:
            Each: (steps of the piece, batch, classes); of an ANN, one of one step. A wrapped module
            makes one of all steps.
        """
        if self.blueprint.neuron is None or not self.blueprint.architecture.in_pieces:
            yield self.network(self.encode(inputs, generator))
            return
        memory: dict[nn.Module, Tensor] = {}
        pieces = self.encoding.pieces(inputs, self.steps, _PIECE, generator)
        for i, signal in enumerate(pieces):
            yield self.network(signal._replace(memory=memory, first=i * _PIECE))

    @torch.inference_mode()
    def simulate(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return what `scores` does, made in `pieces`.

        Where the encoding is nested, the first t rows are, bit for bit, those of a simulation of t
        steps.
        """
        currents = torch.cat(list(self.pieces(inputs, generator)))
        return self.readout.scores(currents[: self.steps])

    def batches(
        self,
        data: SampleSet,
        seed: int = 0,
        indices: NDArray[np.integer] | None = None,
        together: int | None = None,
    ) -> Iterator[tuple[slice, Tensor, torch.Generator]]:
        """Yield samples as `pieces` and `simulate` take them.

        The arguments are those of `predict`.

        Returns:
            Which of the samples asked for they are, the prepared batch, and its generator.

        Raises:
            ConfigError: If samples are of another shape than the network is for.
        """
        if (shape := self.encoding.shape(data)) != self.blueprint.shape:
            raise ConfigError(
                f"stage '{self.name}': expected samples of shape {list(self.blueprint.shape)}, got "
                f"{list(shape)} of '{data.name}'"
            )
        chosen = np.arange(len(data)) if indices is None else np.asarray(indices)
        _, height, width = data.shape
        piece = _PIECE if self.blueprint.architecture.in_pieces else max(self.steps, _PIECE)
        size = together or min(max(_PIXELS // (piece * height * width), 4), 512)
        for first in range(0, len(chosen), size):
            batch = chosen[first : first + size]
            inputs = self.prepare(data.batch(batch)).to(self.device)
            purpose = f"prediction of {self.name}, from {first} on"
            generator = torch_generator(seed, purpose, self.device)
            yield slice(first, first + len(batch)), inputs, generator

    @torch.inference_mode()
    def predict(
        self,
        data: SampleSet,
        seed: int = 0,
        indices: NDArray[np.integer] | None = None,
        precision: Precision = "fp32",
        title: str | None = "predict",
        together: int | None = None,
    ) -> NDArray[np.int64]:
        """Return the predicted class after each step, by one simulation.

        The first t rows are those that a stage of t steps gives, bit for bit, where the encoding is
        nested.

        Args:
            data: Samples to ask about.
            seed: Of a random encoding.
            indices: Which samples; all by default.
            precision: Arithmetic of the layers.
            title: Of the progress bar; None for none.
            together: Samples simulated at once; by default, as many as memory holds easily.

        Returns:
            (steps, samples), integers.
        """
        count = len(data) if indices is None else len(indices)
        found = []
        self.network.eval()
        shown = bar(title or "", count, visible=title is not None)
        with shown as advance, sparse.packing_once():
            for _, inputs, generator in self.batches(data, seed, indices, together):
                with autocast(precision, self.device):
                    scores = self.simulate(inputs, generator)
                found.append(scores.argmax(2).cpu())
                advance(len(inputs))
        if not found:
            return np.zeros((self.steps, 0), dtype=np.int64)
        return torch.cat(found, 1).numpy()

    def copied(self) -> Stage:
        """Return the stage with a network and notes of its own."""
        return replace(self, network=copy.deepcopy(self.network), notes=dict(self.notes))

    def to(self, device: str | torch.device) -> Stage:
        """Return the stage with its network moved to a device (the network itself moves)."""
        return replace(self, network=self.network.to(device))
