"""What eliminators share: how they train, and accuracy to choose by."""

from __future__ import annotations

from spikedoor.data.base import SampleSet
from spikedoor.metrics import Rate, clean_accuracy
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training
from spikedoor.victim import Stage

__all__ = ["TRAINING", "accuracy"]

TRAINING = Training(epochs=100, batch=64, optimiser=Adam(lr=1e-3), keep="last", validation=0.0)
"""100 epochs along a cosine, as BackdoorBench trains on clean samples. Nothing is held out, as the
defender has other samples to choose by.

Its SGD of 0.01 is not for spiking stages: the gradient through neurons without a leak grows with
the number of steps and layers, and such steps leave a converted network at chance. Adam's do not
depend on the size of gradients. Of its batches of 256 a small set would give one an epoch.
"""


def accuracy(stage: Stage, samples: SampleSet, seed: int = 0) -> Rate:
    """Return the stage's accuracy on samples after its last step."""
    return clean_accuracy(stage.predict(samples, seed, title=None)[-1], samples.labels)
