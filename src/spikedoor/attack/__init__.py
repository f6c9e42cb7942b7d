"""Attacks: triggers, label rules, the plan of a poisoning, and poisoned views of a data set."""

from spikedoor.attack.attack import Attack
from spikedoor.attack.draw import make_plan
from spikedoor.attack.labels import LABELS, AllToAll, AllToOne, LabelRule, SourceSpecific
from spikedoor.attack.plan import PoisonPlan
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers import (
    TRIGGERS,
    AdaptiveBlend,
    AdaptivePatch,
    Blended,
    Bpp,
    FTrojan,
    LowFrequency,
    Patch,
    Sinusoid,
    Trigger,
    WaNet,
)

__all__ = [
    "LABELS",
    "TRIGGERS",
    "AdaptiveBlend",
    "AdaptivePatch",
    "AllToAll",
    "AllToOne",
    "Attack",
    "Blended",
    "Bpp",
    "ChallengeSet",
    "FTrojan",
    "LabelRule",
    "LowFrequency",
    "Patch",
    "PoisonPlan",
    "PoisonedSet",
    "Sinusoid",
    "SourceSpecific",
    "Trigger",
    "WaNet",
    "make_plan",
]
