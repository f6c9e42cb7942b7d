"""A trigger decides whatever it is laid over."""

from __future__ import annotations

from typing import Any, Literal, final

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
    the last step. Images are added up, up to full brightness, or averaged; of recordings the blend
    is the union of their events, for the average of two is no recording. Frames of counts are added
    up, binary ones united. Flagged is a score above the quantile of clean ones.

    Needs: a few clean samples, without labels.
    Looks at: class scores only.
    Fails: where the blend takes the trigger away: an average halves the contrast of a small patch,
    a sum saturates a trigger that fills the image. And on triggers that work in one source class
    only, or differ from input to input.

    Deviations:
        All inputs are blended with the same N samples, drawn once, and none with itself. The
        threshold is a quantile of clean scores, not of a normal distribution fitted to them.
    """

    overlays: int = Field(64, ge=2)
    """Number N of clean samples to blend with; all where the defender has fewer."""
    images: Literal["add", "average"] = "add"
    """How images are blended: min(x + x_j, 255), as the authors have it, or (x + x_j) / 2."""

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
        blended = Changed(data, lambda samples: blend(samples, other, self.images))
        return entropy(simulated(stage, blended, seed)[-1])


def blend(samples: Any, other: Any, images: Literal["add", "average"] = "add") -> Any:
    """Return samples, each blended with the one other; both are left as they are."""
    if isinstance(samples, Events):
        return samples.merged(other.take(np.zeros(len(samples), np.int64)))
    if samples.ndim == 5 and samples.dtype == np.uint8:  # binary frames
        return np.maximum(samples, other)
    total = samples.astype(np.int32) + other
    if samples.ndim == 5:
        return total
    return (total // 2 if images == "average" else np.minimum(total, 255)).astype(np.uint8)
