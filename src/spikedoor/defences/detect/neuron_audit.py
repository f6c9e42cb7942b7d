"""A model whose neurons are set otherwise errs, but should not err towards one class."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, Detection, ModelDetector
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.outliers import anomaly, critical
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import Network
from spikedoor.victim import Stage

__all__ = ["NeuronAudit", "with_neurons"]


@final
@DEFENCES.register("neuron-audit")
class NeuronAudit(ModelDetector):
    """Set all thresholds and time constants off by a factor, and see which class gains.

    The gain of a class at a setting is by how much its share of the predictions on clean samples
    rises over that of the model as it is, 0 where it falls. ``g_k`` is its mean over all settings,
    the score its anomaly index among the classes. A backdoor that lives in altered neurons (BadSNN)
    answers to such a setting with its target. The method is ours.

    Needs: clean samples; no labels.
    Looks at: predictions of the model with other thresholds, and other leaks where neurons leak.
    Fails: on backdoors of input triggers, which need no altered neuron; and most networks that fire
    too little or too much fall to one class, clean or not, which is a false alarm.
    """

    factors: tuple[float, ...] = Field((0.5, 0.7, 0.85, 1.2, 1.4, 2.0), min_length=1)
    """Factors on the threshold, and on the time constant (one at a time)."""
    alarms: float = Field(0.05, gt=0, lt=1)
    """Share of clean models flagged, if gains were normally distributed; says the threshold."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how far the gain of each class stands out."""
        neuron = stage.blueprint.neuron
        if neuron is None:
            raise ConfigError(
                f"defence '{self.name}' alters thresholds and leaks, but stage '{stage.name}' has "
                "no spiking neurons; expected a spiking stage"
            )
        if min(self.factors) <= 0:
            raise ConfigError(f"{self.name}.factors: expected numbers above 0, got {self.factors}")
        leaky = any(float(d.dynamics().keep) < 1 for d in _neurons(stage.network).values())
        kinds = ("threshold", "leak") if leaky else ("threshold",)
        count = len(stage.blueprint.classes)
        before, gains = _shares(stage, defender, count), {}
        with bar(self.name, len(kinds) * len(self.factors)) as advance:
            for kind in kinds:
                for factor in self.factors:
                    altered = with_neurons(stage, kind, factor)
                    gains[kind, factor] = np.maximum(_shares(altered, defender, count) - before, 0)
                    advance()
        mean = np.mean(list(gains.values()), 0)
        details = {
            "gains": dict(zip(stage.blueprint.classes, mean.tolist(), strict=True)),
            "most": [
                {"set": kind, "factor": factor, "class": stage.blueprint.classes[int(g.argmax())],
                 "gain": float(g.max())}
                for (kind, factor), g in gains.items()
            ],
        }  # fmt: skip
        return Detection(anomaly(mean), critical(count, self.alarms), details)


def with_neurons(stage: Stage, kind: Literal["threshold", "leak"], factor: float) -> Stage:
    """Return a copy of a stage with all thresholds, or time constants, times a factor.

    Spikes stay as high as they are. A time constant does not fall below one step; neurons without a
    leak stay so. Where the model weighs the input by ``1 / tau`` it weighs it by the new one.
    """
    made = replace(stage, network=copy.deepcopy(stage.network), notes=dict(stage.notes))
    decays = bool(getattr(stage.blueprint.neuron, "decay_input", False))
    for path, layer in _neurons(made.network).items():
        now = layer.dynamics()
        keep, gain = float(now.keep), float(now.gain)
        if kind == "threshold":
            altered = replace(now, keep=keep, gain=gain, threshold=factor * now.threshold)
        else:
            left = 1 - keep
            share = min(left / factor, 1.0)
            scaled = gain * share / left if decays and left else gain
            altered = replace(now, keep=1 - share, gain=scaled)
        made.network.set_submodule(path, Spiking(altered))
    return made


def _neurons(network: Network) -> dict[str, Spiking]:
    return {path: m for path, m in network.named_modules() if isinstance(m, Spiking)}


def _shares(stage: Stage, defender: Defender, classes: int) -> NDArray[np.float64]:
    """Return the share of each class in the predictions on clean samples."""
    said = stage.predict(defender.clean, defender.seed, title=None)[-1]
    return np.bincount(said, minlength=classes) / len(said)
