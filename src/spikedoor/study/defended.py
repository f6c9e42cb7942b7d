"""The nodes of a defence: what a detector finds, or a stage that an eliminator has repaired."""

from __future__ import annotations

from typing import Any, NamedTuple

from spikedoor.defences.plan import DefencePlan
from spikedoor.rules import Phase
from spikedoor.study.experiment import Experiment
from spikedoor.study.nodes import Node
from spikedoor.study.reading import Owner

__all__ = ["Owner", "Sources", "defence_node", "defended"]


class Sources(NamedTuple):
    """Where data come from; there is no poison in a clean run, and few triggers are learned."""

    train: Node
    test: Node
    poison: Node | None
    trigger: Node | None


def defended(plan: DefencePlan, phases: tuple[Phase, ...]) -> Phase:
    """Return the phase whose stage a defence works on."""
    return phases[0] if plan.stage == "ann" else phases[-1]


def defence_node(
    experiment: Experiment,
    plan: DefencePlan,
    made: dict[str, Node],
    sources: Sources,
    owner: Owner,
) -> Node:
    """Return the node of a defence of one owner: a "detection", or a "repaired" stage.

    A repaired ANN is converted, and fine-tuned if the rule does so, by the rest of the rule.

    Args:
        experiment: The experiment.
        plan: Its defence.
        made: The owner's stages.
        sources: Its data.
        owner: Victim or twin; the twin's training set is clean.
    """
    phases = experiment.rule.phases()
    phase = defended(plan, phases)
    poison = sources.poison if owner == "victim" else None
    told = plan.to_dict()
    if plan.clean_from == "training":
        del told["clean_from"]  # as it was before it was a field, so that old results are found
    config: dict[str, Any] = {
        "defence": told,
        **phase.run,
        "seed": experiment.seed,
        **experiment.machine(),
    }
    inputs = {"stage": made[phase.stage], "train": sources.train}
    if poison is not None and plan.method.needs_training_set:
        inputs["poison"] = poison
        inputs |= {} if sources.trigger is None else {"trigger": sources.trigger}
    if plan.method.task == "eliminate":
        rest = phases[phases.index(phase) + 1 :]
        config["network"] = experiment.network.to_dict()
        config["rest"] = [after.decided_by for after in rest]
        return Node("repaired", config, inputs, {"rule": experiment.rule.to_dict()})
    config["target"] = experiment.attack.target.to_dict()
    config["poisoned"] = poison is not None
    if plan.method.task == "input":
        inputs["data"] = sources.test
        inputs |= {} if sources.trigger is None else {"trigger": sources.trigger}
        config["trigger"] = experiment.attack.trigger.to_dict()
    return Node("detection", config, inputs)
