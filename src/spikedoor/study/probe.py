"""Look at the output neurons of the victim that a run has left in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from spikedoor.attack import Attack
from spikedoor.attack.poisoned import ChallengeSet
from spikedoor.attack.triggers.learned import WEIGHTS_FILE, prepared, read_weights
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.data.events.pictures import pictures
from spikedoor.errors import ConfigError, DataError, hint
from spikedoor.evaluation import Evaluation
from spikedoor.records import Record
from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.study.experiment import Experiment
from spikedoor.victim import Probe, Stage, Victim
from spikedoor.victim.probe import HEAD, output_neuron

__all__ = ["opened", "output_traces", "probe", "probed", "spiking"]


def probe(
    folder: str | Path,
    sample: int | None = None,
    label: str | None = None,
    owner: Literal["victim", "twin"] = "victim",
) -> Probed:
    """Show a test sample, clean and triggered, to each spiking stage of a recorded victim.

    Args:
        folder: What `run` has written.
        sample: Which test sample; by default the first that the victim names rightly without the
            trigger and takes for the target with it, or the first that could be.
        label: Take the sample from this class.
        owner: Whose output neurons to look at: those of the victim or of its clean twin.

    Raises:
        ConfigError: If the attack cannot turn such a sample, or no stage has spiking neurons.
        DataError: If record or network is missing or damaged.
    """
    folder = Path(folder)
    record = Record.read(folder)
    if not (folder / owner).is_dir():
        raise DataError(f"{folder}: no {owner} was saved with this record")
    victim = Victim.load(folder / owner)
    if not spiking(victim):
        raise ConfigError(f"{folder}: the {owner} has no stage of spiking neurons to look at")
    return probed(record, victim, *opened(folder, record), sample, label, owner)


def opened(folder: Path, record: Record) -> tuple[Dataset, Attack]:
    """Return the data of a recorded run, and its attack with what its trigger has learned.

    Raises:
        DataError: If any of it is missing or damaged.
    """
    experiment = Experiment.from_dict(record.experiment)
    data = experiment.data.load()
    weights = read_weights(folder / WEIGHTS_FILE)
    trigger = prepared(experiment.attack.trigger, data.train, experiment.seed, weights)
    return data, experiment.attack.model_copy(update={"trigger": trigger})


def spiking(victim: Victim) -> list[Stage]:
    """Return the stages that have spiking neurons."""
    return [stage for stage in victim.stages if stage.blueprint.neuron is not None]


def probed(
    record: Record,
    victim: Victim,
    data: Dataset,
    attack: Attack,
    sample: int | None = None,
    label: str | None = None,
    owner: Literal["victim", "twin"] = "victim",
) -> Probed:
    """Return what `probe` does of a victim, or its clean twin, with data and attack at hand."""
    challenge = attack.challenge(data.test)
    place = _chosen(challenge, record.evaluation, sample, label)
    index, seed = int(challenge.indices[place]), record.experiment["seed"]
    return Probed(
        name=data.name,
        rule=record.rule,
        owner=owner,
        index=index,
        label=int(challenge.true_labels[place]),
        target=int(challenge.targets[place]),
        classes=data.test.classes,
        clean=pictures(data.test.batch(np.array([index])))[0],
        triggered=pictures(challenge.batch(np.array([place])))[0],
        stages=tuple(
            output_traces(stage, (data.test, index), (challenge, place), seed)
            for stage in spiking(victim)
        ),
    )


def output_traces(
    stage: Stage, clean: tuple[SampleSet, int], triggered: tuple[SampleSet, int], seed: int = 0
) -> OutputTraces:
    """Return what a spiking stage's output neurons do at two samples, each of a set at an index."""
    neuron = output_neuron(stage)
    if neuron is None:
        raise ConfigError(f"stage '{stage.name}' has no spiking neurons to look at")
    return OutputTraces(
        stage.name,
        float(neuron.threshold),
        _course(stage, *clean, seed),
        _course(stage, *triggered, seed),
    )


def _course(stage: Stage, data: SampleSet, index: int, seed: int) -> Course:
    pieces = Probe(stage, [HEAD]).stream(data, np.array([index]), seed)
    parts = [piece.traces[HEAD] for piece in pieces]
    found = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("membrane", "spikes", "current")
    }
    predicted = int(stage.readout.scores(found["current"])[-1, 0].argmax())
    return Course(**{name: x[:, 0].numpy() for name, x in found.items()}, predicted=predicted)


def _chosen(
    challenge: ChallengeSet, found: Evaluation, sample: int | None, label: str | None
) -> int:
    """Return the place of the sample in the challenge."""
    classes = challenge.classes
    fits: NDArray[np.bool_] = np.ones(len(challenge), np.bool_)
    if label is not None:
        if label not in classes:
            raise ConfigError(f"unknown class '{label}'{hint(label, classes)}")
        fits &= challenge.true_labels == classes.index(label)
    if sample is not None:
        fits &= challenge.indices == sample
    if not fits.any():
        asked = "" if sample is None else f" {sample}"
        asked += "" if label is None else f" of class '{label}'"
        raise ConfigError(
            f"expected a test sample that the attack can turn, 0 to {len(challenge.base) - 1} and "
            f"not of its target class; there is no such sample{asked}"
        )
    said = found.answers[found.stages[-1]]
    clean, triggered = (rows[-1][challenge.indices] for rows in (said.clean, said.triggered))
    turned = fits & (clean == challenge.true_labels) & (triggered == challenge.targets)
    return int(np.flatnonzero(turned if turned.any() else fits)[0])
