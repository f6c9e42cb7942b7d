"""The whole pipe in one readable function: data, attack, rule, evaluation, record."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedoor.attack import Attack
from spikedoor.attack.poisoned import PoisonedSet
from spikedoor.data.base import Dataset
from spikedoor.errors import ConfigError
from spikedoor.evaluation import evaluate
from spikedoor.files import check_free, new_folder
from spikedoor.records import Gallery, Record, describe
from spikedoor.rules import RuleFromANN, train_ann
from spikedoor.study.experiment import Experiment
from spikedoor.victim import Stage, Victim

__all__ = ["Shelf", "gallery", "run"]


class Shelf:
    """ANNs trained so far, by all that decides them: rules that start alike share one."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}

    def ann(self, experiment: Experiment, data: PoisonedSet, device: str) -> Stage | None:
        """Return the ANN that the experiment's rule starts from; None if it needs none."""
        rule = experiment.rule
        if not isinstance(rule, RuleFromANN):
            return None
        parts = [experiment.data, experiment.attack, experiment.network, rule.ann]
        key = json.dumps([[p.to_dict() for p in parts], data.plan.rate, experiment.seed, device])
        if key not in self._stages:
            network, seed = experiment.network, experiment.seed
            self._stages[key] = train_ann(network, data, rule.ann, seed, device)
        return self._stages[key]


def run(
    experiment: Experiment, out: str | Path | None = None, shelf: Shelf | None = None
) -> Record:
    """Run an experiment.

    Args:
        experiment: What to run.
        out: New folder for the record, the poison plan, and victim and twin with their weights;
            nothing is written without it, nor before the run is complete.
        shelf: Shared by several runs, so that none trains an ANN that another has trained.

    Raises:
        OutputError: If the folder is occupied or cannot be written to; before anything is run.
    """
    if out is not None:
        check_free(out)
    shelf = Shelf() if shelf is None else shelf
    device = _device(experiment.device)
    data = experiment.data.load()
    attack = experiment.attack.prepare(data.train, experiment.seed)
    poisoned = attack.poison(data.train, experiment.seed)
    victim = _fit(experiment, poisoned, device, shelf)
    twin = None
    if experiment.twin and poisoned.plan.count:
        unpoisoned = attack.clean_twin().poison(data.train, experiment.seed)
        twin = _fit(experiment, unpoisoned, device, shelf)
    record = Record(
        experiment=experiment.to_dict(),
        environment={**describe(), "device": device},
        data=_about(data),
        poison=_about_poison(poisoned),
        stages=_about_stages(victim),
        twin_stages=_about_stages(twin) if twin else {},
        evaluation=evaluate(victim, data.test, attack, twin, experiment.seed),
        gallery=gallery(data, attack),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    if out is not None:
        with new_folder(out) as folder:
            record.write(folder)
            poisoned.plan.save(folder / "plan.json")
            victim.save(folder / "victim")
            if twin:
                twin.save(folder / "twin")
    return record


def gallery(data: Dataset, attack: Attack, count: int = 6) -> Gallery:
    """Return the first test samples of different classes that the attack can turn."""
    challenge = attack.challenge(data.test)
    _, first = np.unique(challenge.true_labels, return_index=True)
    chosen = np.sort(first)[:count]
    return Gallery(
        data.test.batch(challenge.indices[chosen]),
        challenge.batch(chosen),
        np.array(challenge.true_labels[chosen]),
    )


def _fit(experiment: Experiment, data: PoisonedSet, device: str, shelf: Shelf) -> Victim:
    ann = shelf.ann(experiment, data, device)
    return experiment.rule.fit(experiment.network, data, experiment.seed, device, ann)


def _device(wanted: str) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device: expected 'cpu' or 'auto', got 'cuda', but torch sees no GPU here"
        )
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _about(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "train": len(data.train),
        "test": len(data.test),
        "shape": list(data.train.shape),
        "checksums": data.checksums,
    }


def _about_poison(data: PoisonedSet) -> dict[str, Any]:
    classes = data.plan.class_rate(data.clean.labels)
    return {
        "count": data.plan.count,
        "set_rate": data.plan.set_rate,
        "class_rate": {data.classes[label]: rate for label, rate in classes.items()},
    }


def _about_stages(victim: Victim) -> dict[str, Any]:
    return {stage.name: {"steps": stage.steps, **stage.notes} for stage in victim.stages}
