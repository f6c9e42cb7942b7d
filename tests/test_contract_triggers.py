"""What every registered trigger keeps; the checks are those of `spikedoor.testing`."""

import pytest

from spikedoor.attack.triggers import TRIGGERS, LearnedTrigger
from spikedoor.testing import event_triggers, triggers


def made(name):
    quick = {"updates": 5} if issubclass(TRIGGERS[name], LearnedTrigger) else {}
    return TRIGGERS[name](**quick)


def of(modality):
    return [name for name in TRIGGERS.names() if TRIGGERS[name].modality == modality]


CASES = [
    *((name, check) for name in TRIGGERS.names() for check in triggers.ALWAYS),
    *((name, check) for name in of("image") for check in triggers.IMAGE),
    *((name, check) for name in of("event") for check in event_triggers.EVENT),
    *((name, check) for name in of("frame") for check in event_triggers.FRAME),
]


@pytest.mark.parametrize(("name", "check"), CASES, ids=[f"{n}-{c.__name__}" for n, c in CASES])
def test_trigger(name, check):
    check(made(name))
