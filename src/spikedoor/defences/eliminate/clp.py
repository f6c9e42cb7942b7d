"""Channels to which a layer's neurons are far more sensitive than to its others."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.layers import Layer, layers
from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.victim import Stage

__all__ = ["CLP"]


@final
@DEFENCES.register("clp", source="Zheng et al. 2022, CLP", link="https://arxiv.org/abs/2208.03111")
class CLP(Eliminator):
    """Prune the channels whose Lipschitz bound stands out of their layer.

    With the norm merged in, ``W_c`` is a channel's weights as a matrix [input channels, pixels of
    the kernel], and ``sigma_c = ||W_c||_2 / V`` its largest singular value in units of the
    threshold V. Pruned is where ``sigma_c > mean + u std`` over the layer.

    Needs: the network alone, no data.
    Looks at: weights, norms and thresholds.
    Fails: where the backdoor is spread over many channels, and in narrow layers: among n channels
    none can stand out by more than ``(n - 1) / sqrt(n)`` standard deviations, so u = 3 prunes
    nothing below 11 channels.

    Deviations:
        Norms are paired with weights by how blocks are built. Branches that are added up count
        with the root of their squared sum. V is of a layer as a whole, so it changes the values
        and not the choice. Norms that stand before no weights of their own are left alone.
    """

    u: float = Field(3.0, ge=0)
    """Standard deviations above the mean of its layer from which a channel is pruned."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage without those channels; nothing of the defender is used.

        Raises:
            ConfigError: If no layer's weights are known to stand before its neurons.
        """
        made = stage.copied()
        weighted = [layer for layer in layers(made.network) if layer.parts]
        if not weighted:
            raise ConfigError(
                f"defence '{self.name}' compares weights of channels with the norm and threshold "
                f"behind them, but of stage '{stage.name}' it is not known which belong together"
            )
        pruned: dict[str, list[int]] = {}
        for layer in weighted:
            sigma = _sensitivity(layer)
            chosen = np.flatnonzero(sigma > sigma.mean() + self.u * sigma.std())
            layer.prune(chosen)
            pruned[layer.path] = chosen.tolist()
        made.notes["repair"] = {"pruned": pruned}
        return made


@torch.no_grad()
def _sensitivity(layer: Layer) -> NDArray[np.float64]:
    """Return the Lipschitz bound of each channel."""
    weights = layer.effective_weights()
    assert weights is not None
    squared = np.zeros(layer.channels)
    sizes = [part.weight[0].numel() for part, _ in layer.parts]
    for (part, _), found in zip(layer.parts, weights.split(sizes, 1), strict=True):
        matrices = found.reshape(len(found), part.weight.shape[1], -1).double().cpu()
        squared += torch.linalg.matrix_norm(matrices, 2).square().numpy()
    neurons = layer.activation
    threshold = neurons.threshold_in_force if isinstance(neurons, Spiking) else 1.0
    return np.sqrt(squared) / threshold
