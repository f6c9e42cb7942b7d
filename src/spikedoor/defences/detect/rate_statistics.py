"""What speaks for a class, yet stays silent on its samples, is kept for something else."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import Module

from spikedoor.defences.base import DEFENCES, Detection, ModelDetector
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.outliers import anomaly, critical
from spikedoor.errors import ConfigError
from spikedoor.victim import Stage

__all__ = ["RateStatistics", "idle_evidence"]


@final
@DEFENCES.register("rate-statistics")
class RateStatistics(ModelDetector):
    """Add up, for each class, the weights of neurons that speak for it and idle on its samples.

    ``s_k = sum over j of max(0, w_kj - mean over c of w_cj) (1 - rho_jk / max over c of rho_jc)``,
    with w the head's weights and rho_jc the mean rate of neuron j of the last layer on clean
    samples of class c. A dormant neuron, of rate 0 on all of them, counts in full. The score is the
    anomaly index of s_k among the classes. The method is ours.

    Needs: clean samples with labels, of every class.
    Looks at: firing rates of the last layer, averaged where the head gets averages; of an ANN, its
    activations.
    Fails: where trigger and clean features share their neurons, as they do in narrow networks; a
    class whose own samples differ much has idle evidence as well (docs/defences.md).
    """

    alarms: float = Field(0.05, gt=0, lt=1)
    """Share of clean models flagged, if s_k were normally distributed; says the threshold."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return how far the idle evidence of each class stands out."""
        rates = self._rates(stage, defender)
        weights = stage.network.head.layer.weight.detach().double().cpu().numpy()
        found = idle_evidence(weights, rates)
        names = stage.blueprint.classes
        details = {
            "evidence": dict(zip(names, found.tolist(), strict=True)),
            "dormant": int((rates == 0).all(0).sum()),
        }
        return Detection(anomaly(found), critical(len(found), self.alarms), details)

    def _rates(self, stage: Stage, defender: Defender) -> NDArray[np.float64]:
        """Return the mean rate on samples of each class of each input of the head, [K, F]."""
        clean, names = defender.clean, stage.blueprint.classes
        labels = np.asarray(clean.labels)
        missing = [name for k, name in enumerate(names) if not (labels == k).any()]
        if missing:
            raise ConfigError(
                f"defence '{self.name}' needs clean samples of every class, got none of "
                f"{', '.join(missing)}"
            )
        found = _head_inputs(stage, defender)
        return np.stack([found[labels == k].mean(0) for k in range(len(names))])


@torch.inference_mode()
def _head_inputs(stage: Stage, defender: Defender) -> NDArray[np.float64]:
    """Return what the head gets from each neuron, or average of neurons, per step: [N, F]."""
    stage.network.eval()
    means, seen = [], []

    def watch(_: Module, arguments: tuple[Tensor]) -> None:
        seen.append(arguments[0])

    for _, inputs, generator in stage.batches(defender.clean, defender.seed):
        with stage.network.head.layer.register_forward_pre_hook(watch):
            for _ in stage.pieces(inputs, generator):
                pass
        frames = torch.cat([x.reshape(-1, len(inputs), x.shape[-1]) for x in seen])
        means.append(frames[: stage.steps].mean(0, dtype=torch.float64).cpu())
        seen.clear()
    return torch.cat(means).numpy()


def idle_evidence(weights: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return s_k, [K], of head weights and rates by class, both [K, F]."""
    speaks = np.maximum(weights - weights.mean(0), 0)
    largest = np.abs(rates).max(0)
    idle = 1 - np.abs(rates) / np.where(largest > 0, largest, 1)
    return (speaks * idle).sum(1)
