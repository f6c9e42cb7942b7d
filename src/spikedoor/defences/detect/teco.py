"""Triggered inputs bear some corruptions far better than others."""

from __future__ import annotations

from functools import partial
from typing import final

import numpy as np
from pydantic import Field, field_validator

from spikedoor.data.base import SampleSet, modality_of
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Changed, Scores, simulated
from spikedoor.defences.detect.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from spikedoor.errors import ConfigError, hint
from spikedoor.progress import bar
from spikedoor.victim import Stage

__all__ = ["Teco"]


@final
@DEFENCES.register("teco", source="Liu et al. 2023", link="https://arxiv.org/abs/2303.18191")
class Teco(Calibrated):
    """Corrupt an image in several ways, and look at how unequally its class bears them.

    score = std over the corruptions of the first severity, of 1 to 5, at which the class differs
    from that of the image itself; 6 where it never does. Flagged is a score above the quantile of
    clean ones. Each corruption is of the image as it came.

    Needs: a few clean images, without labels.
    Looks at: predicted classes only.
    Fails: on triggers that bear all of the corruptions while clean images, of a victim trained
    without augmentation, bear them unequally: so it is on digits, where it finds nothing. Scores
    are of few values, so many inputs tie. Recordings are refused.

    Deviations:
        Fourteen corruptions after ImageNet-C, without those that need pictures of snow or frost,
        and a quantile of clean scores for a threshold, where the paper reports none.
    """

    corruptions: tuple[str, ...] = Field(tuple(CORRUPTIONS), min_length=2)
    """Names of the corruptions."""

    @field_validator("corruptions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CORRUPTIONS:
                known = hint(name, CORRUPTIONS)
                raise ValueError(f"expected names of corruptions, got '{name}'{known}")
        return names

    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        if modality_of(inputs) != "image":
            raise ConfigError(
                f"defence '{self.name}' corrupts images, but '{inputs.name}' holds "
                f"{modality_of(inputs)}s; for these see 'consistency'"
            )
        return self._scores(stage, known, seed), self._scores(stage, inputs, seed)

    def _scores(self, stage: Stage, data: SampleSet, seed: int) -> Scores:
        said = simulated(stage, data, seed)[-1].argmax(1)
        first = np.full((len(self.corruptions), len(data)), SEVERITIES[-1] + 1)
        with bar(self.name, first.shape[0]) as advance:
            for found, name in zip(first, self.corruptions, strict=True):
                for severity in reversed(SEVERITIES):
                    change = partial(corrupted, name=name, severity=severity, seed=seed)
                    now = simulated(stage, Changed(data, change), seed)[-1].argmax(1)
                    found[now != said] = severity
                advance()
        return first.std(0, dtype=np.float64)
