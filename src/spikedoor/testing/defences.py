"""What every detector and every eliminator keeps, against a small victim with a backdoor."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from spikedoor.data.base import SampleSet
from spikedoor.data.strata import spread
from spikedoor.defences import (
    DataDetector,
    Defence,
    Defender,
    Detection,
    Eliminator,
    InputDetector,
    ModelDetector,
)
from spikedoor.defences.inputs import Inputs
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.parts import defender, equal_states, victim
from spikedoor.testing.samples import stripes
from spikedoor.victim import Stage

__all__ = ["DETECTOR", "ELIMINATOR", "check_detector", "check_eliminator"]


@contextmanager
def _all_left_alone(stage: Stage, *sets: SampleSet | None) -> Iterator[None]:
    """Expect the block to leave network, notes, samples, modes and global generators alone."""
    shown = [data for data in sets if data is not None]
    before, notes = copy.deepcopy(stage.network), copy.deepcopy(stage.notes)
    samples = [data.batch(np.arange(len(data))).tobytes() for data in shown]
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index] # noqa: NPY002
    yield
    that(equal_states(before, stage.network), "the weights of the stage were changed")
    that(stage.notes == notes, "the notes of the stage were changed")
    for data, content in zip(shown, samples, strict=True):
        same = data.batch(np.arange(len(data))).tobytes() == content
        that(same, f"samples of '{data.name}' were changed")
    that(random.getstate() == states[0], "Python's global generator was used")
    that((np.random.get_state()[1] == states[1]).all(), "NumPy's global generator was used")  # type: ignore[index] # noqa: NPY002
    that(torch.equal(torch.get_rng_state(), states[2]), "torch's global generator was used")
    that(torch.is_grad_enabled(), "gradients are left switched off")
    that(not any(m.training for m in stage.network.modules()), "the stage is left in training mode")
    _no_hooks(stage, "the stage given")


def _no_hooks(stage: Stage, what: str) -> None:
    modules = list(stage.network.modules())
    hooked = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in modules)
    hooked |= any(p._backward_hooks for p in stage.network.parameters())
    that(not hooked, f"a hook is left on {what}")


def answers_the_three_questions(defence: Defence) -> None:
    """Its docstring answers ``Needs:``, ``Looks at:`` and ``Fails:``."""
    text = type(defence).__doc__ or ""
    missing = [word for word in ("Needs:", "Looks at:", "Fails:") if word not in text]
    that(not missing, f"no {', no '.join(missing)}")


def needs_what_it_says(defence: Defence) -> None:
    """Without the training set it works, or is refused if it says that it needs one."""
    without = replace(defender(), train=None)
    if defence.needs_training_set:
        with refused("no training set", f"'{defence.name}' needs the training set"):
            _use(defence, victim(), without)
    else:
        _use(defence, victim(), without)


def _inputs() -> Inputs:
    data = stripes(120, seed=1)
    return Inputs(data, data, (spread(len(data), 24), np.zeros(0, np.int64)))


def _use(defence: Defence, stage: Stage, has: Defender) -> Any:
    if isinstance(defence, InputDetector):
        return defence.detect(stage, has, _inputs())
    if isinstance(defence, (DataDetector, ModelDetector)):
        return defence.detect(stage, has)
    assert isinstance(defence, Eliminator)
    return defence.repair(stage, has)


def _twice(defence: Defence) -> tuple[Any, Any]:
    stage, has = victim(), defender()
    sets = has.clean, has.validation, has.train, _inputs()
    with _all_left_alone(stage, *sets):
        first = _use(defence, stage, has)
    return first, _use(defence, stage, has)


def scores_all_it_is_given_and_leaves_it_alone(defence: Defence) -> None:
    """Each sample or class gets a finite score, the same again, and nothing else is changed."""
    first, again = _twice(defence)
    that(isinstance(first, Detection), f"expected a Detection, got {first!r}")
    count = {
        "data": len(defender().training_set(defence.name)),
        "input": len(_inputs()),
        "model": len(victim().blueprint.classes),
    }[defence.task]
    that(len(first.scores) == count, f"{len(first.scores)} scores for {count}")
    that(math.isfinite(first.threshold), f"a threshold of {first.threshold}")
    that(np.array_equal(first.scores, again.scores), "a second call gives other scores")
    that(first.threshold == again.threshold, "a second call gives another threshold")
    plain = json.loads(json.dumps(first.details, allow_nan=False))
    that(plain == first.details, "its details are no plain values")


def returns_a_stage_of_its_own_and_leaves_the_given_one_alone(defence: Defence) -> None:
    """The repaired stage is like the given one, shares nothing with it, and is the same again."""
    stage = victim()
    first, again = _twice(defence)
    that(isinstance(first, Stage), f"expected a Stage, got {first!r}")
    that(first.name == stage.name, f"its name is '{first.name}', was '{stage.name}'")
    that(first.steps == stage.steps, f"it runs for {first.steps} steps, not {stage.steps}")
    that(first.blueprint == stage.blueprint, "it has another blueprint")
    first.blueprint.build(None).load_state_dict(first.network.state_dict())
    theirs = {value.data_ptr() for value in stage.network.state_dict().values()}
    ours = {value.data_ptr() for value in first.network.state_dict().values()}
    that(theirs.isdisjoint(ours), "it shares weights with the stage given")
    that(equal_states(first.network, again.network), "a second call gives other weights")
    modules = first.network.modules()
    that(not any(m.training for m in modules), "it is left in training mode")
    _no_hooks(first, "the repaired stage")
    that(json.loads(json.dumps(first.notes, allow_nan=False)) == first.notes, "notes not plain")
    that(first.predict(stripes(9), title=None).shape == (stage.steps, 9), "it does not predict")


DETECTOR: tuple[Check, ...] = (
    answers_the_three_questions,
    needs_what_it_says,
    scores_all_it_is_given_and_leaves_it_alone,
)
ELIMINATOR: tuple[Check, ...] = (
    answers_the_three_questions,
    needs_what_it_says,
    returns_a_stage_of_its_own_and_leaves_the_given_one_alone,
)


def check_detector(member: Defence | type[Defence]) -> None:
    """Check what detectors of samples, of inputs and of models keep.

    Args:
        member: A detector, or its class; one that takes long, with fields that make it quick.

    Raises:
        AssertionError: Naming what it breaks.
    """
    detector = instance(member, Defence)
    kinds = DataDetector, InputDetector, ModelDetector
    that(isinstance(detector, kinds), f"expected a detector, got {detector!r}")
    run((*components.CHECKS, *DETECTOR), detector)


def check_eliminator(member: Eliminator | type[Eliminator]) -> None:
    """Check what eliminators keep; that they weaken a backdoor is for a test of their own.

    Args:
        member: An eliminator, or its class; one that trains, with few epochs.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *ELIMINATOR), instance(member, Eliminator))
