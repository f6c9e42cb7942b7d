"""How a defence is carried out: what it is given, and the truth that its scores are held to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.labels import LabelRule
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers.base import Trigger
from spikedoor.attack.triggers.learned import Weights, prepared
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.data.npz import parse_npz_arrays
from spikedoor.defences import (
    DataDetector,
    Defender,
    Detection,
    Eliminator,
    InputDetector,
    ModelDetector,
)
from spikedoor.defences.base import Task
from spikedoor.defences.inputs import Inputs, spread
from spikedoor.defences.plan import DefencePlan
from spikedoor.files import npz
from spikedoor.metrics import Auroc, Rate, auroc, found_and_false, rate_at
from spikedoor.rules import Rule
from spikedoor.snn.networks import Architecture
from spikedoor.study.nodes import Node
from spikedoor.victim import Stage

__all__ = ["Detected", "detected", "detection_scores", "files_of", "from_files", "repaired"]

Truths = NDArray[np.bool_]

_SCORES, _TOLD = "scores.npz", "detection.json"


@dataclass(frozen=True, eq=False)
class Detected:
    """What a detector found, and what there was to find.

    Args:
        detection: Scores and threshold.
        positive: The truth, bool, like the scores: poisoned samples, triggered inputs, or target
            classes of a poisoned model.
    """

    detection: Detection
    positive: NDArray[np.bool_]


def repaired(node: Node, stage: Stage, train: SampleSet, clean: Any) -> Stage:
    """Return a repaired stage, and what the rest of the rule makes of it.

    Args:
        node: Of kind "repaired".
        stage: The stage to repair, dressed as it is run.
        train: The training set as the victim got it.
        clean: The same before any poisoning.
    """
    config = node.config
    plan, seed = DefencePlan.from_dict(config["defence"]), config["seed"]
    defender = _defender(plan, clean, train, seed)
    made = cast(Eliminator, plan.method).repair(stage, defender)
    phases = Rule.from_dict(node.means["rule"]).phases()
    rest = phases[len(phases) - len(config["rest"]) :]
    network = Architecture.from_dict(config["network"])
    for phase in rest:
        made = phase.make(network, defender.clean, seed, config["device"], made)
    return replace(made, name="repaired")


def detected(
    node: Node,
    stage: Stage,
    train: SampleSet,
    clean: Any,
    test: Dataset | None = None,
    learned: Weights | None = None,
) -> Detected:
    """Return what a detector finds; the truth is put beside it afterwards.

    Args:
        node: Of kind "detection".
        stage: The stage to look at, dressed as it is run.
        train: The training set as the victim got it.
        clean: The same before any poisoning.
        test: The test set, for a detector of inputs.
        learned: What a learned trigger has learned.
    """
    config = node.config
    plan, seed = DefencePlan.from_dict(config["defence"]), config["seed"]
    method, defender = plan.method, _defender(plan, clean, train, seed)
    target = LabelRule.from_dict(config["target"])
    if isinstance(method, InputDetector):
        assert test is not None
        trigger = prepared(Trigger.from_dict(config["trigger"]), clean, seed, learned)
        shown = ChallengeSet(test.test, trigger, target)
        chosen = spread(len(test.test), plan.samples), spread(len(shown), plan.samples)
        inputs = Inputs(test.test, shown, chosen)
        return Detected(method.detect(stage, defender, inputs), inputs.from_second)
    if isinstance(method, DataDetector):
        poisoned = train.poisoned if isinstance(train, PoisonedSet) else np.zeros(len(train), bool)
        return Detected(method.detect(stage, defender), poisoned)
    found = cast(ModelDetector, method).detect(stage, defender)
    positive = np.zeros(len(found.scores), np.bool_)
    if config["poisoned"]:
        labels = np.asarray(clean.labels)
        wanted = target.targets(labels, len(clean.classes))
        positive[wanted[wanted != labels]] = True
    return Detected(found, positive)


def detection_scores(
    found: Mapping[Literal["victim", "twin"], Sequence[Detected]], task: Task
) -> dict[str, Rate | Auroc]:
    """Return how well a detector does, by measure; what is not defined is left out.

    Args:
        found: What it found, by owner; of several folds, one after the other.
        task: Of the detector.
    """
    if task == "model":
        return _accusations(found)
    measured: dict[str, Rate | Auroc] = {}
    if victim := found.get("victim"):
        scores, flagged, positive = _together(victim)
        if positive.any():
            measured["auroc"] = auroc(scores, positive)
            measured["found_at_1"] = rate_at(scores, positive, 0.01)
            measured["found_at_5"] = rate_at(scores, positive, 0.05)
            measured["found"] = found_and_false(flagged, positive)[0]
        measured["false_alarms"] = found_and_false(flagged, positive)[1]
    if twin := found.get("twin"):
        _, flagged, positive = _together(twin)
        measured["twin_false_alarms"] = found_and_false(flagged, positive)[1]
    return measured


def _together(parts: Sequence[Detected]) -> tuple[NDArray[np.float64], Truths, Truths]:
    """Return scores, what is flagged, and the truth, of all parts."""
    scores = np.concatenate([one.detection.scores for one in parts])
    flagged = np.concatenate([one.detection.flagged for one in parts])
    return scores, flagged, np.concatenate([one.positive for one in parts])


def _accusations(
    found: Mapping[Literal["victim", "twin"], Sequence[Detected]],
) -> dict[str, Rate | Auroc]:
    """Return the same of whole models: each is found, or falsely accused, or neither."""
    measured: dict[str, Rate | Auroc] = {}
    victim = found.get("victim", ())
    if poisoned := [one for one in victim if one.positive.any()]:
        hits = [bool((one.detection.flagged & one.positive).any()) for one in poisoned]
        measured["found"] = Rate(sum(hits), len(hits))
        scores, _, positive = _together(poisoned)
        if len(poisoned) == 1 and not positive.all():
            measured["auroc"] = auroc(scores, positive)
    for name, models in (("false_alarms", victim), ("twin_false_alarms", found.get("twin", ()))):
        if clean := [one for one in models if not one.positive.any()]:
            measured[name] = Rate(sum(bool(m.detection.flagged.any()) for m in clean), len(clean))
    return measured


def _defender(plan: DefencePlan, clean: Any, train: SampleSet, seed: int) -> Defender:
    """Return what the plan's defender has; the training set only where the method needs it."""
    known = train if plan.method.needs_training_set else None
    return Defender.of(clean, plan.clean, known, seed)


def files_of(found: Detected) -> dict[str, bytes]:
    """Return it as files, by name."""
    arrays = {"scores": found.detection.scores, "positive": found.positive}
    told = {"threshold": found.detection.threshold, "details": found.detection.details}
    return {_SCORES: npz(arrays), _TOLD: json.dumps(told).encode()}


def from_files(files: dict[str, bytes]) -> Detected:
    """Return what `files_of` has made files of; nothing in them can run code."""
    told = json.loads(files[_TOLD])
    arrays = parse_npz_arrays(files[_SCORES], _SCORES)
    detection = Detection(arrays["scores"], float(told["threshold"]), told["details"])
    return Detected(detection, arrays["positive"])
