"""A detector of your own: training samples that lie far from the clean ones of their label."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from spikedoor.defences import DEFENCES, DataDetector, Defender, Detection
from spikedoor.errors import ConfigError
from spikedoor.victim import Stage
from spikedoor.victim.features import Kind, features

__all__ = ["MyDetector"]


@final
@DEFENCES.register("my-detector")
class MyDetector(DataDetector):
    """Compare each training sample with the mean of the clean samples of its label.

    The score is the distance of a sample's features to that mean, divided by the root mean square
    distance of the clean samples of the label: 1 is usual.

    Needs: the training set with the labels as given, and clean samples of every label in it.
    Looks at: features of the penultimate layer; the mean membrane, unless another kind is chosen.
    Fails: where poisoned samples keep their own class's features beside the trigger's label in a
    class that is wide of its own, and where clean samples are few.
    """

    features: Kind = "membrane"
    """What is looked at."""
    limit: float = Field(1.5, gt=0)
    """Distance, in units of a usual one, from which on a sample is flagged."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how far each training sample lies from the clean ones of its label.

        Raises:
            ConfigError: If there is no training set, or a label has no clean sample.
        """
        train, clean = defender.training_set(self.name), defender.clean
        found, known = (
            features(stage, d, self.features, seed=defender.seed) for d in (train, clean)
        )
        scores = np.zeros(len(train))
        for label in np.unique(train.labels):
            usual = known[clean.labels == label].astype(np.float64)
            if not len(usual):
                raise ConfigError(
                    f"defence '{self.name}' needs clean samples of every class, got none of "
                    f"'{train.classes[label]}'"
                )
            members = train.labels == label
            mean = usual.mean(0)
            spread = np.sqrt(((usual - mean) ** 2).sum(1).mean())
            distance = np.linalg.norm(found[members] - mean, axis=1)
            scores[members] = distance / max(spread, np.finfo(np.float64).tiny)
        return Detection(scores, self.limit)
