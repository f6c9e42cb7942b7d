"""The only training loop."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from spikedoor.component import Component
from spikedoor.data.base import SampleSet, modality_of
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.rng import generator, torch_generator
from spikedoor.rules.losses import Loss
from spikedoor.rules.optimisers import Adam, Augmentation, Cosine, Optimiser, Schedule
from spikedoor.snn.norm import statistics_kept
from spikedoor.snn.precision import Precision, autocast
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage

if TYPE_CHECKING:
    from spikedoor.data.source import DataSource

__all__ = ["Epoch", "Penalty", "Training", "TrainingLog", "train"]

Penalty = Callable[[Signal], Tensor]
"""From the signal that the network was just shown to a term added to its loss."""


class Training(Component):
    """How long, how fast and in what steps a network is trained."""

    epochs: int = Field(10, ge=0)
    """Passes over the training set."""
    batch: int = Field(128, ge=2)
    """Samples in a step."""
    optimiser: Optimiser = Adam()
    """Optimiser and its peak learning rate."""
    schedule: Schedule = Cosine()
    """Course of the learning rate over all batches."""
    augment: tuple[Augmentation, ...] = ()
    """Random changes of a batch, made after the trigger is in."""
    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the training set held out to choose the epoch; test data are never used for it."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's weights to keep: the best on validation (the later of equals), or the last."""
    precision: Precision = "fp32"
    """Arithmetic of convolutions and linear layers; membranes are always fp32."""

    def check(self, samples: SampleSet | DataSource) -> None:
        """Refuse augmentations of other samples than images.

        Raises:
            ConfigError: Naming them.
        """
        found = modality_of(samples)
        if self.augment and found != "image":
            names = ", ".join(change.name for change in self.augment)
            raise ConfigError(
                f"'{samples.name}' holds {found}s: expected no augmentations, which change images, "
                f"got {names}"
            )


class Epoch(NamedTuple):
    """What is known after an epoch."""

    loss: float
    accuracy: float | None
    """On the validation split, with labels as in the training set; None without a split."""
    seconds: float
    """Since the start of training."""


@dataclass(frozen=True)
class TrainingLog:
    """The course of a training run.

    Args:
        epochs: One entry an epoch.
        kept: Index of the epoch whose weights were kept; None if there was no epoch.
        finite: Whether every loss was.
    """

    epochs: tuple[Epoch, ...] = ()
    kept: int | None = None
    finite: bool = True

    @property
    def seconds(self) -> float:
        """Wall-clock of the whole training."""
        return self.epochs[-1].seconds if self.epochs else 0.0

    @property
    def seconds_to_best(self) -> float:
        """Wall-clock until the kept epoch was done."""
        return self.epochs[self.kept].seconds if self.kept is not None else 0.0

    def to_dict(self) -> dict:
        """Return plain values for a record."""
        return {
            "epochs": [epoch._asdict() for epoch in self.epochs],
            "kept": self.kept,
            "finite": self.finite,
            "seconds": self.seconds,
            "seconds_to_best": self.seconds_to_best,
        }


def train(
    stage: Stage,
    data: SampleSet,
    loss: Loss,
    how: Training,
    seed: int,
    penalty: Penalty | None = None,
) -> TrainingLog:
    """Train a stage's network in place, and leave the weights of the kept epoch in it.

    Training stops after the first epoch whose loss is not finite, which the log tells.

    Args:
        stage: Network with encoding, steps and readout; fresh, nobody else's.
        data: Training set, poisoned or not; a share of it is held out for validation.
        loss: What to minimise.
        how: Settings.
        seed: Of order, split, augmentation and encoding.
        penalty: Added to the loss of every batch, if any.

    Raises:
        ConfigError: If there are augmentations, and the samples are no images.
    """
    how.check(data)
    network, device = stage.network, stage.device
    fit, held_out = _split(len(data), how.validation, seed)
    order = generator(seed, f"order of {stage.name}")
    noise = torch_generator(seed, f"augmentation of {stage.name}")
    spikes = torch_generator(seed, f"encoding of {stage.name}", device)
    labels = torch.from_numpy(np.array(data.labels))
    optimiser = how.optimiser.build(network.parameters())
    batches = [b for b in range(0, len(fit), how.batch) if len(fit) - b > 1]
    epochs: list[Epoch] = []
    best: tuple[float, int, dict[str, Tensor]] | None = None
    finite = True
    start = time.perf_counter()
    with bar(f"train {stage.name}", how.epochs * len(batches)) as advance:
        for epoch in range(how.epochs):
            network.train()
            shuffled = fit[order.permutation(len(fit))]
            total, seen = torch.zeros((), device=device), 0
            for i, first in enumerate(batches):
                chosen = shuffled[first : first + how.batch]
                inputs = stage.prepare(data.batch(chosen)).to(device)
                for change in how.augment:
                    inputs = change.apply(inputs, noise)
                wanted = labels[chosen].to(device)
                progress = (epoch + i / len(batches)) / how.epochs
                for group in optimiser.param_groups:
                    group["lr"] = how.optimiser.lr * how.schedule.factor(progress)
                signal = stage.encode(inputs, spikes)

                def objective(signal: Signal = signal, wanted: Tensor = wanted) -> Tensor:
                    with autocast(how.precision, device):
                        currents = network(signal)
                    value = loss.value(currents, stage.readout.scores(currents), wanted)
                    if penalty is not None:
                        value = value + penalty(signal)
                    optimiser.zero_grad()
                    value.backward()
                    return value.detach()

                total += _step(optimiser, objective, network) * len(chosen)
                seen += len(chosen)
                advance()
            mean = total.item() / max(seen, 1)
            finite = bool(np.isfinite(mean))
            if not finite:
                break
            accuracy = _accuracy(stage, data, held_out, how, seed)
            epochs.append(Epoch(mean, accuracy, time.perf_counter() - start))
            merit = float(epoch) if how.keep == "last" or accuracy is None else accuracy
            advance(0, note=f"loss {mean:.3f}, validation {100 * (accuracy or 0):.1f} %")
            if best is None or merit >= best[0]:
                best = merit, epoch, copy.deepcopy(network.state_dict())
    if best is not None:
        network.load_state_dict(best[2])
    network.eval()
    return TrainingLog(tuple(epochs), best[1] if best else None, finite)


def _step(
    optimiser: torch.optim.Optimizer, objective: Callable[[], Tensor], network: nn.Module
) -> Tensor:
    """Do one step and return the loss before it.

    An optimiser may ask for the loss again at other weights. The norms' running statistics are
    then left alone, as these weights are not kept.
    """
    asked = False

    def closure() -> Tensor:
        nonlocal asked
        if asked:
            with statistics_kept(network):
                return objective()
        asked = True
        return objective()

    return cast(Tensor, optimiser.step(cast(Any, closure)))


def _split(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices to fit on and indices held out; the same for every stage of a run."""
    shuffled = generator(seed, "validation split").permutation(count)
    held = int(count * share + 1e-9)
    return np.sort(shuffled[held:]), np.sort(shuffled[:held])


def _accuracy(
    stage: Stage, data: SampleSet, chosen: np.ndarray, how: Training, seed: int
) -> float | None:
    """Return accuracy on the validation split; None without one."""
    if not len(chosen):
        return None
    predicted = stage.predict(data, seed, chosen, precision=how.precision, title=None)[-1]
    return float(np.mean(predicted == data.labels[chosen]))
