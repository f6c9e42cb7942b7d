"""A model whose neurons are set otherwise errs, but should not err towards one class."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, Detection, ModelDetector
from spikedoor.defences.defender import Defender
from spikedoor.defences.layers import neurons
from spikedoor.progress import bar
from spikedoor.snn.activations import Spiking
from spikedoor.victim import Stage

__all__ = ["NeuronAudit", "with_neurons"]

Kind = Literal["threshold", "leak"]


@final
@DEFENCES.register("neuron-audit")
class NeuronAudit(ModelDetector):
    """Set all thresholds and time constants off by a factor, and see which class gains.

    A class gains, at a setting, what its share of the predictions on clean samples rises by. Its
    score is the largest gain at any setting. A backdoor that lives in altered neurons (BadSNN)
    answers to such a setting with its target. The method is ours.

    Needs: clean samples; no labels.
    Looks at: predictions of the model with other thresholds, and other leaks where neurons leak.
    Fails: on triggers in the input, which need no altered neurons. Far from 1 any network falls to
    one class, clean or not, so the factors are close to it, and even then some converted
    and hybrid ones do. The anomaly index among classes is of no use here: in
    most clean networks one class gains, and nine nothing.
    """

    factors: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.85, 1.2), min_length=1)
    """Factors on the threshold, and on the time constant (one at a time)."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Gain above which a class is flagged."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return the largest gain of each class."""
        names = stage.blueprint.classes
        layers = neurons(stage, self.name)
        leaky = any(float(layer.dynamics().keep) < 1 for layer in layers.values())
        kinds: tuple[Kind, ...] = ("threshold", "leak") if leaky else ("threshold",)
        settings: list[tuple[Kind, float]] = [
            (kind, factor) for kind in kinds for factor in self.factors
        ]
        before, found = _shares(stage, defender), []
        with bar(self.name, len(settings)) as advance:
            for kind, factor in settings:
                found.append(_shares(with_neurons(stage, kind, factor), defender) - before)
                advance()
        gains = np.stack(found)
        winners = [
            {
                "set": kind,
                "factor": factor,
                "class": names[int(gain.argmax())],
                "gain": float(gain.max()),
            }
            for (kind, factor), gain in zip(settings, gains, strict=True)
        ]
        return Detection(gains.max(0), self.threshold, {"largest": winners})


def with_neurons(stage: Stage, kind: Kind, factor: float) -> Stage:
    """Return a copy of a stage with all thresholds, or time constants, times a factor.

    Spikes stay as high as they are. A time constant does not fall below one step; neurons without a
    leak stay so. Where the model weighs the input by ``1 / tau`` it weighs it by the new one.
    """
    made = stage.copied()
    decays = bool(getattr(stage.blueprint.neuron, "decay_input", False))
    for path, layer in neurons(made, NeuronAudit.name).items():
        now = layer.dynamics()
        keep, gain = float(now.keep), float(now.gain)
        if kind == "threshold":
            altered = replace(now, keep=keep, gain=gain, threshold=factor * now.threshold)
        else:
            left = 1 - keep
            share = min(left / factor, 1.0)
            scaled = gain * share / left if decays and left else gain
            altered = replace(now, keep=1 - share, gain=scaled)
        made.network.set_submodule(path, Spiking(altered).to(stage.device))
    return made


def _shares(stage: Stage, defender: Defender) -> NDArray[np.float64]:
    """Return the share of each class in the predictions on clean samples."""
    said = stage.predict(defender.clean, defender.seed, title=None)[-1]
    return np.bincount(said, minlength=len(stage.blueprint.classes)) / len(said)
