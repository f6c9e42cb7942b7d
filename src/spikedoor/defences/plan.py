"""Which defence is put to which stage, and what its defender has."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.defences.base import Defence
from spikedoor.errors import ConfigError

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
    clean_from: Literal["training", "test"] = "training"
    """A detector of inputs may have its clean samples from the test set instead, the same share of
    that, as one has who collects them where the model is in use. It is then shown other samples.
    Those of the training set the victim has seen, so that it is surer of them than of new ones."""
    samples: int = Field(500, ge=1)
    """A detector of inputs is shown this many clean test samples, and as many triggered ones."""

    @model_validator(mode="after")
    def _learns_from_training_samples(self) -> Self:
        if self.clean_from == "test" and self.method.task != "input":
            raise ConfigError(
                "clean_from: expected 'training', got 'test', which is for detectors of "
                f"inputs; '{self.method.name}' is none, and the test set judges what it does"
            )
        return self
