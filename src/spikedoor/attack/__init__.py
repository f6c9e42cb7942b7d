"""Attacks: triggers, label rules, the plan of a poisoning, and poisoned views of a data set."""

from spikedoor.attack.attack import Attack
from spikedoor.attack.labels import LABELS, AllToOne, LabelRule
from spikedoor.attack.plan import PoisonPlan, make_plan
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers import TRIGGERS, Patch, Trigger

__all__ = [
    "LABELS",
    "TRIGGERS",
    "AllToOne",
    "Attack",
    "ChallengeSet",
    "LabelRule",
    "Patch",
    "PoisonPlan",
    "PoisonedSet",
    "Trigger",
    "make_plan",
]
