"""A trigger decides whatever it is laid over."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.data.events import Events
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Changed, Scores, entropy, simulated
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.victim import Stage

__all__ = ["Strip"]


@final
@DEFENCES.register("strip", source="Gao et al. 2019", link="https://arxiv.org/abs/1902.06531")
class Strip(Calibrated):
    """Blend each input with clean samples: what stays sure of its class has a trigger.

    score = -(1/N) sum_j H(softmax(f(blend(x, x_j)))), with the entropy H of the class scores after
    the last step. Images are blended as (1 - alpha) x + alpha x_j, recordings by the union of
    their events, for the average of two recordings is none; frames of counts are added up, binary
    ones united. Flagged is a score above the quantile of clean ones.

    Needs: a few clean samples, without labels.
    Looks at: class scores only.
    Fails: where blending destroys the trigger as it does the rest (blended and warped triggers, or
    alpha too large), and for triggers of which each input has another or that need their source
    class. Unions double the number of events, so a victim that counts them meets what it never
    saw.

    Deviations:
        Images are averaged, where the authors' code adds them up and clips. All inputs are blended
        with the same N samples, drawn once; one that is the defender's own is not blended with
        itself. The threshold is a quantile of clean scores, not of a normal distribution fitted to
        them.
    """

    overlays: int = Field(64, ge=2)
    """Number N of clean samples to blend with; all where the defender has fewer."""
    alpha: float = Field(0.5, gt=0, lt=1)
    """Weight of the clean sample in a blend of images."""

    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        if len(known) < 2:
            raise ConfigError(f"{self.name}: expected 2 clean samples or more, got {len(known)}")
        count = min(self.overlays, len(known))
        drawn = generator(seed, "overlays").choice(len(known), count, replace=False)
        own, others = np.zeros(len(known)), np.zeros(len(inputs))
        with bar(self.name, count) as advance:
            for overlay in drawn:
                found = self._blended(stage, known, known, overlay, seed)
                found[overlay] = 0  # not with itself
                own += found
                others += self._blended(stage, known, inputs, overlay, seed)
                advance()
        shared = count - np.isin(np.arange(len(known)), drawn)
        return -own / shared, -others / count

    def _blended(
        self, stage: Stage, known: SampleSet, data: SampleSet, overlay: int, seed: int
    ) -> Scores:
        """Return the entropy of each sample, blended with one of the known."""
        other = known.batch(np.array([overlay]))
        blended = Changed(data, lambda samples: blend(samples, other, self.alpha))
        return entropy(simulated(stage, blended, seed)[-1])


def blend(samples: Any, other: Any, alpha: float) -> Any:
    """Return samples, each blended with the one other; both are left as they are."""
    if isinstance(samples, Events):
        return samples.merged(other.take(np.zeros(len(samples), np.int64)))
    if samples.ndim == 4:
        mixed = (1 - alpha) * samples.astype(np.float32) + alpha * other.astype(np.float32)
        return np.rint(mixed).astype(np.uint8)
    if samples.dtype == np.uint8:
        return np.maximum(samples, other)
    return samples.astype(np.int32) + other
