"""The whole pipe in one readable function: data, attack, rule, evaluation, record."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from typing import Any

import numpy as np

from spikedoor.attack import Attack
from spikedoor.attack.poisoned import PoisonedSet
from spikedoor.attack.triggers.learned import WEIGHTS_FILE, packed_weights, prepared
from spikedoor.data.base import Dataset
from spikedoor.evaluation import Evaluation
from spikedoor.files import check_free, new_folder, write_bytes
from spikedoor.metrics import Answers
from spikedoor.metrics.findings import Detected, detection_scores
from spikedoor.records import Record, describe
from spikedoor.registry import others
from spikedoor.study.cell import Cell, cell
from spikedoor.study.defended import Owner
from spikedoor.study.examples import gallery
from spikedoor.study.experiment import Experiment
from spikedoor.study.measures import described
from spikedoor.study.nodes import Node
from spikedoor.study.samples import samples
from spikedoor.study.workshop import Workshop
from spikedoor.victim import Activity, Victim

__all__ = ["attack_of", "evaluation", "record_of", "run"]


def run(
    experiment: Experiment, out: str | Path | None = None, workshop: Workshop | None = None
) -> Record:
    """Run an experiment.

    Args:
        experiment: What to run.
        out: New folder for the record, some samples for its page, the poison plan, what its trigger
            has learned, if anything, and victim and twin with their weights; nothing is written
            without it, nor before the run is complete.
        workshop: Shared by several runs, so that none makes what another has made; one with a
            store keeps results beyond this process.

    Raises:
        OutputError: If the folder is occupied or cannot be written to; before anything is run.
    """
    if out is not None:
        check_free(out)
    workshop = Workshop() if workshop is None else workshop
    planned = cell(experiment, workshop.dataset(experiment.data))
    victim, twin = (_victim(planned, owner, workshop) for owner in ("victim", "twin"))
    assert victim is not None
    record = record_of(planned, victim, twin, workshop)
    if out is not None:
        with new_folder(out) as folder:
            record.write(folder)
            data = workshop.dataset(experiment.data)
            attack = attack_of(planned, data, workshop.result)
            samples(record, victim, data, attack).write(folder)
            workshop.result(planned.poison).plan.save(folder / "plan.json")
            if planned.trigger is not None:
                learned = packed_weights(workshop.result(planned.trigger))
                write_bytes(folder / WEIGHTS_FILE, learned)
            victim.save(folder / "victim")
            if twin:
                twin.save(folder / "twin")
    return record


def record_of(planned: Cell, victim: Victim, twin: Victim | None, workshop: Workshop) -> Record:
    """Return the record of a cell whose victim and twin have been made."""
    experiment = planned.experiment
    data = workshop.dataset(experiment.data)
    attack = attack_of(planned, data, workshop.result)
    poisoned = workshop.result(planned.poison).of(data.train, attack.trigger)
    return Record(
        experiment=experiment.to_dict(),
        environment={
            **describe(),
            "device": str(victim.final.device),
            "plugins": _about_plugins(experiment),
        },
        data=_about(data),
        poison=_about_poison(poisoned),
        stages=_about_stages(victim),
        twin_stages=_about_stages(twin) if twin else {},
        evaluation=evaluation(planned, data, workshop.result),
        gallery=gallery(data, attack),
        activity=_about_activity(planned, workshop.result),
        defence=_about_detection(planned, workshop.result),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def attack_of(planned: Cell, data: Dataset, result: Callable[[Node], Any]) -> Attack:
    """Return the attack of a cell with its trigger prepared."""
    experiment = planned.experiment
    weights = None if planned.trigger is None else result(planned.trigger)
    trigger = prepared(experiment.attack.trigger, data.train, experiment.seed, weights)
    return experiment.attack.model_copy(update={"trigger": trigger})


def evaluation(planned: Cell, data: Dataset, result: Callable[[Node], Any]) -> Evaluation:
    """Return the predictions of a cell; ``result`` gives those of a node."""
    found: dict[Owner, dict[str, Answers]] = {"victim": {}, "twin": {}}
    for owner, stages in planned.stages.items():
        found[owner] = {stage: planned.said(owner, stage, result) for stage in stages}
    targets = planned.experiment.attack.target.targets(data.test.labels, len(data.test.classes))
    return Evaluation(
        np.asarray(data.test.labels), targets, data.test.classes, found["victim"], found["twin"]
    )


def _victim(planned: Cell, owner: Owner, workshop: Workshop) -> Victim | None:
    if owner not in planned.stages:
        return None
    return Victim(
        tuple(
            planned.phases[stage].dressed(workshop.result(node))
            for stage, node in planned.stages[owner].items()
        )
    )


def _about(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "train": len(data.train),
        "test": len(data.test),
        "shape": list(data.train.shape),
        "checksums": data.checksums,
    }


def _about_plugins(experiment: Experiment) -> dict[str, str]:
    """Return the SHA-256 of the files of others that an experiment needs, by path from here."""
    found = others(experiment.to_dict()).values()
    return {relpath(code.file): code.sha256 for code in found if code.file is not None}


def _about_poison(data: PoisonedSet) -> dict[str, Any]:
    classes = data.plan.class_rate(data.clean.labels)
    return {
        "count": data.plan.count,
        "set_rate": data.plan.set_rate,
        "cover_count": data.plan.cover_count,
        "cover_set_rate": data.plan.cover_set_rate,
        "class_rate": {data.classes[label]: rate for label, rate in classes.items()},
    }


def _about_activity(planned: Cell, result: Callable[[Node], Any]) -> dict[str, Any]:
    """Return the firing rates of each spiking stage after each step, in all and by layer."""
    found: dict[str, Any] = {}
    for question, node in planned.activity.items():
        seen: Activity = result(node)
        steps = planned.phases[question.stage].steps
        found.setdefault(question.stage, {})["triggered" if question.triggered else "clean"] = {
            "samples": seen.by_sample.shape[1],
            "rate": [float(seen.until(t).mean()) for t in range(1, steps + 1)],
            "layers": {
                name: float(rates[:steps].mean())
                for name, rates in zip(seen.layers, seen.by_layer.T, strict=True)
            },
        }
    return found


def _about_detection(planned: Cell, result: Callable[[Node], Any]) -> dict[str, Any]:
    plan = planned.experiment.defence
    if plan is None or not planned.detections:
        return {}
    found: dict[Owner, list[Detected]] = {
        owner: [result(node)] for owner, node in planned.detections.items()
    }
    measured = detection_scores(found, plan.method.task)
    return {
        "plan": plan.to_dict(),
        "stage": planned.defended,
        "measures": {name: described(value) for name, value in measured.items()},
    }


def _about_stages(victim: Victim) -> dict[str, Any]:
    return {stage.name: {"steps": stage.steps, **stage.notes} for stage in victim.stages}
