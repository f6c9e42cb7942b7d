"""Triggers on the events of a camera, before any framing."""

from spikedoor.attack.triggers.events.base import Burst, BurstTrigger, EventTrigger
from spikedoor.attack.triggers.events.budget import Budget, budget
from spikedoor.attack.triggers.events.deletion import EventDeletion
from spikedoor.attack.triggers.events.dynamic import EventDynamic
from spikedoor.attack.triggers.events.flash import EventFlash
from spikedoor.attack.triggers.events.moving import EventMoving
from spikedoor.attack.triggers.events.retiming import TimingShift
from spikedoor.attack.triggers.events.smart import EventSmart
from spikedoor.attack.triggers.events.static import EventFramed, EventStatic, EventStrobing

__all__ = [
    "Budget",
    "Burst",
    "BurstTrigger",
    "EventDeletion",
    "EventDynamic",
    "EventFlash",
    "EventFramed",
    "EventMoving",
    "EventSmart",
    "EventStatic",
    "EventStrobing",
    "EventTrigger",
    "TimingShift",
    "budget",
]
