"""What every registered defence keeps; the checks are those of `spikedoor.testing`."""

import pytest

from spikedoor.defences import DEFENCES
from spikedoor.testing.defences import DETECTOR, ELIMINATOR
from spikedoor.testing.parts import brief, with_fields

LESS = {"epochs": 2, "iterations": 4, "overlays": 8, "rounds": 1, "starts": 1, "steps": 10}
"""Of what takes long in those that search or train."""


def made(name):
    return with_fields(brief(DEFENCES[name]()), **LESS)


CASES = [
    (name, check)
    for name in DEFENCES.names()
    for check in (ELIMINATOR if DEFENCES[name].task == "eliminate" else DETECTOR)
]


@pytest.mark.parametrize(("name", "check"), CASES, ids=[f"{n}-{c.__name__}" for n, c in CASES])
def test_defence(name, check):
    check(made(name))
