"""Triggered inputs bear some corruptions far better than others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import SampleSet, modality_of
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Changed, Scores, simulated
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.rng import generator
from spikedoor.victim import Stage

__all__ = ["CORRUPTIONS", "SEVERITIES", "Teco", "corrupted"]

Floats = NDArray[np.floating]

SEVERITIES = (1, 2, 3, 4, 5)


@final
@DEFENCES.register("teco", source="Liu et al. 2023", link="https://arxiv.org/abs/2303.18191")
class Teco(Calibrated):
    """Corrupt an image in several ways, and look at how unequally its class bears them.

    score = std over the corruptions of the first severity, of 1 to 5, at which the class differs
    from that of the image itself; 6 where it never does. Flagged is a score above the quantile of
    clean ones. The corruptions are noise, impulses, blur, brightness and contrast, each of them on
    the image as it came.

    Needs: a few clean images, without labels.
    Looks at: predicted classes only.
    Fails: on triggers that bear all of the corruptions while clean images, of a victim trained
    without augmentation, bear them unequally: so it is on digits, where it finds nothing. Scores
    are of few values, so many inputs tie. Recordings are refused.

    Deviations:
        Five corruptions of our own in place of fifteen of ImageNet-C, and a quantile of clean
        scores for a threshold, where the paper reports none.
    """

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
        first = np.full((len(CORRUPTIONS), len(data)), SEVERITIES[-1] + 1)
        with bar(self.name, first.shape[0]) as advance:
            for found, name in zip(first, CORRUPTIONS, strict=True):
                for severity in reversed(SEVERITIES):
                    change = partial(corrupted, name=name, severity=severity, seed=seed)
                    now = simulated(stage, Changed(data, change), seed)[-1].argmax(1)
                    found[now != said] = severity
                advance()
        return first.std(0, dtype=np.float64)


def corrupted(
    images: NDArray[np.uint8], name: str, severity: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Return corrupted copies of images, uint8 [B, C, H, W].

    All images get the same noise, and a stronger one at a higher severity, so that no score hangs
    on other inputs.
    """
    random = generator(seed, f"corruption {name}")
    changed = CORRUPTIONS[name](images.astype(np.float32) / 255, severity, random)
    return np.rint(changed.clip(0, 1) * 255).astype(np.uint8)


def _noise(x: Floats, severity: int, random: np.random.Generator) -> Floats:
    return x + np.float32(0.08 * severity) * random.standard_normal(x.shape[1:], np.float32)


def _impulses(x: Floats, severity: int, random: np.random.Generator) -> Floats:
    hit = random.random(x.shape[2:]) < 0.04 * severity
    white = (random.random(x.shape[2:]) < 0.5).astype(np.float32)
    return np.where(hit, white, x)


def _blur(x: Floats, severity: int, random: np.random.Generator) -> Floats:
    from scipy.ndimage import gaussian_filter

    reach = 0.3 * severity * max(x.shape[3] / 32, 1)
    return gaussian_filter(x, (0, 0, reach, reach))


def _brightness(x: Floats, severity: int, random: np.random.Generator) -> Floats:
    return x + np.float32(0.1 * severity)


def _contrast(x: Floats, severity: int, random: np.random.Generator) -> Floats:
    mean = x.mean((1, 2, 3), keepdims=True)
    return mean + (x - mean) * np.float32(1 - 0.15 * severity)


CORRUPTIONS: dict[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    "noise": _noise,
    "impulses": _impulses,
    "blur": _blur,
    "brightness": _brightness,
    "contrast": _contrast,
}
"""Each returns other images, floats that need not lie in [0, 1], and leaves those it is given."""
