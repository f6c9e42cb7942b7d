"""Which defence is put to which stage, and what its defender has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spikedoor.component import Component
from spikedoor.defences.base import Defence

__all__ = ["DefencePlan"]


class DefencePlan(Component):
    """A defence in an experiment."""

    method: Defence
    """The method."""
    stage: Literal["final", "ann"] = "final"
    """Stage that it works on. From a repaired ANN the rest of the rule follows on the defender's
    clean samples, so that repairing before conversion compares with repairing after it."""
    clean: float = Field(0.05, gt=0, lt=1)
    """Share of the training set of which the defender has clean samples with true labels."""
    samples: int = Field(500, ge=1)
    """A detector of inputs is shown this many clean test samples, and as many triggered ones."""
