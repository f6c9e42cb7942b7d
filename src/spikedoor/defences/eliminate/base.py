"""What eliminators share: a copy to work on, and accuracy to choose by."""

from __future__ import annotations

import copy
from dataclasses import replace

from spikedoor.data.base import SampleSet
from spikedoor.metrics import Rate, clean_accuracy
from spikedoor.victim import Stage

__all__ = ["accuracy", "copied"]


def copied(stage: Stage) -> Stage:
    """Return the stage with a network of its own, so that the given one stays as it is."""
    return replace(stage, network=copy.deepcopy(stage.network), notes=dict(stage.notes))


def accuracy(stage: Stage, samples: SampleSet, seed: int = 0) -> Rate:
    """Return the stage's accuracy on samples after its last step."""
    return clean_accuracy(stage.predict(samples, seed, title=None)[-1], samples.labels)
