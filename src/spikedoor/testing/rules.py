"""What every learning rule keeps, on small pictures that are learned in a second."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from spikedoor.rules import Rule, RuleFromANN, train_ann
from spikedoor.rules.ann import ANN
from spikedoor.snn.activations import Spiking
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, run, that
from spikedoor.testing.parts import BRIEF, NETWORK, brief, equal_states, fingerprint
from spikedoor.testing.samples import CLASSES, poisoned, stripes
from spikedoor.victim import StageName, Victim

__all__ = ["CHECKS", "check_rule"]


def gives_a_victim_that_answers_at_every_step(rule: Rule) -> None:
    """Each stage has a name of its own, one of `StageName`, and predicts after every step."""
    victim = brief(rule).fit(NETWORK, poisoned(stripes(48)), seed=1)
    names = [stage.name for stage in victim.stages]
    that(len(set(names)) == len(names), f"a name comes twice among {names}")
    that(set(names) <= set(get_args(StageName)), f"names {names}")
    for stage in victim.stages:
        found = stage.predict(stripes(9), title=None)
        that(found.shape == (stage.steps, 9), f"{stage.name}: answers of shape {found.shape}")
        that(set(found.flat) <= {0, 1, 2}, f"{stage.name}: classes {set(found.flat)}")


def ends_in_a_spiking_network(rule: Rule) -> None:
    """The last stage spikes and runs for the rule's `steps`; only the ANN's rule is without."""
    if isinstance(rule, ANN):
        return
    final = brief(rule).fit(NETWORK, stripes(48)).final
    that(any(isinstance(m, Spiking) for m in final.network.modules()), "no neuron spikes")
    that(final.blueprint.neuron is not None, "its blueprint names no neuron")
    steps = getattr(rule, "steps", None)
    that(final.steps == steps, f"the stage runs for {final.steps} steps, the rule says {steps}")


def describes_stages_that_can_be_built_again(rule: Rule) -> None:
    """The blueprint of each stage builds a network that takes its weights, also after a file."""
    victim = brief(rule).fit(NETWORK, stripes(48))
    for stage in victim.stages:
        that(stage.blueprint.classes == CLASSES, f"{stage.name}: other classes")
        that(stage.blueprint.shape == (1, 8, 8), f"{stage.name}: another shape")
        stage.blueprint.build(seed=5).load_state_dict(stage.network.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        loaded = Victim.load(victim.save(Path(folder) / "victim"))
    for before, after in zip(victim.stages, loaded.stages, strict=True):
        same = (before.predict(stripes(20)) == after.predict(stripes(20))).all()
        that(same, f"{before.name} predicts something else after the file")


def leaves_notes_for_the_record(rule: Rule) -> None:
    """Notes are plain values and tell how long each stage took."""
    for stage in brief(rule).fit(NETWORK, stripes(48)).stages:
        same = json.loads(json.dumps(stage.notes, allow_nan=False)) == stage.notes
        that(same, f"{stage.name}: notes that JSON changes")
        that(stage.notes.get("seconds", 0) > 0, f"{stage.name}: no seconds")


def leaves_networks_in_evaluation_mode(rule: Rule) -> None:
    """No module of a victim is left in training mode."""
    for stage in brief(rule).fit(NETWORK, stripes(48)).stages:
        that(not any(m.training for m in stage.network.modules()), stage.name)


def leaves_data_alone(rule: Rule) -> None:
    """The training set is as it was."""
    data = poisoned(stripes(48))
    before = data.batch(np.arange(48)).tobytes(), data.labels.tobytes()
    brief(rule).fit(NETWORK, data)
    that((data.batch(np.arange(48)).tobytes(), data.labels.tobytes()) == before, "it was changed")


def depends_on_nothing_but_its_arguments(rule: Rule) -> None:
    """Equal seeds give equal weights, whatever torch's global generator; others give others."""
    first = fingerprint(brief(rule).fit(NETWORK, stripes(48), seed=2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        again = fingerprint(brief(rule).fit(NETWORK, stripes(48), seed=2))
    that(again == first, "equal seeds give other weights")
    other = fingerprint(brief(rule).fit(NETWORK, stripes(48), seed=3))
    that(other != first, "another seed gives the same weights")


def stages_share_no_weights(rule: Rule) -> None:
    """Each stage has weights of its own."""
    seen: set[int] = set()
    for stage in brief(rule).fit(NETWORK, stripes(48)).stages:
        storages = {value.data_ptr() for value in stage.network.state_dict().values()}
        that(seen.isdisjoint(storages), f"{stage.name} shares weights with a stage before")
        seen |= storages


def takes_an_ann_without_changing_it(rule: Rule) -> None:
    """An ANN that is at hand takes the place of its first stage, where that is one."""
    ann = train_ann(NETWORK, stripes(48), BRIEF, seed=2)
    before = copy.deepcopy(ann.network)
    victim = brief(rule).fit(NETWORK, stripes(48), seed=2, ann=ann)
    that(equal_states(before, ann.network), "the ANN was changed")
    alone = brief(rule).fit(NETWORK, stripes(48), seed=2)
    that(fingerprint(victim) == fingerprint(alone), "it leads to another victim than its own")
    begins = isinstance(rule, (ANN, RuleFromANN))
    that((victim.stages[0] is ann) == begins, f"the ANN is {'not ' * begins}its first stage")


def takes_colour_frames_that_are_not_square(rule: Rule) -> None:
    """Pictures of three channels that are not square are learned like others."""
    data = stripes(32, shape=(3, 8, 10))
    found = brief(rule).fit(NETWORK, data).final.predict(data, title=None)
    that(found.shape[1] == 32, f"answers of shape {found.shape}")


CHECKS: tuple[Check, ...] = (
    gives_a_victim_that_answers_at_every_step,
    ends_in_a_spiking_network,
    describes_stages_that_can_be_built_again,
    leaves_notes_for_the_record,
    leaves_networks_in_evaluation_mode,
    leaves_data_alone,
    depends_on_nothing_but_its_arguments,
    stages_share_no_weights,
    takes_an_ann_without_changing_it,
    takes_colour_frames_that_are_not_square,
)


def check_rule(member: Rule | type[Rule]) -> None:
    """Check what learning rules keep; every training is cut down to one short epoch.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Rule))
