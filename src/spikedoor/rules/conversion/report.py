"""What a conversion did to each layer, told on the images it was calibrated on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikedoor.rules.conversion.base import fold
from spikedoor.rules.conversion.checks import max_pooled
from spikedoor.rules.conversion.layers import means, places
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import Network

__all__ = ["report"]

_BATCH = 128


def report(ann: Network, snn: Network, images: Tensor, steps: int) -> dict[str, Any]:
    """Return plain values on a converted network beside its ANN, under a constant input.

    Returns:
        ``steps`` and ``images`` it was made with; ``max_pooled``, the units that pool spikes by
        their maximum; and for each of ``layers`` its threshold, the means of the ANN's activations
        and of the neurons' mean output, the relative error between the two (root of the summed
        squares over that of the activations; None where those are all 0), and the firing rate,
        in spikes a neuron and step.
    """
    folded, where = fold(ann), places(snn)
    totals = torch.zeros(len(where), 4, dtype=torch.float64)  # activation, output, error², act²
    count = [0] * len(where)
    for batch in images.split(_BATCH):
        pairs = zip(means(folded, where, batch), means(snn, where, batch, steps), strict=True)
        for i, (wanted, sent) in enumerate(pairs):
            parts = wanted, sent, (sent - wanted).square(), wanted.square()
            totals[i] += torch.stack([part.sum(dtype=torch.float64).cpu() for part in parts])
            count[i] += wanted.numel()
    layers = []
    for place, (wanted, sent, error, power), n in zip(where, totals.tolist(), count, strict=True):
        layer = place.of(snn)
        assert isinstance(layer, Spiking)
        layers.append(
            {
                "layer": place.name,
                "threshold": float(layer.threshold),
                "ann_mean": wanted / n,
                "snn_mean": sent / n,
                "error": (error / power) ** 0.5 if power else None,
                "rate": sent / n / float(layer.amplitude),
            }
        )
    return {
        "steps": steps, "images": len(images), "max_pooled": max_pooled(snn), "layers": layers,
    }  # fmt: skip
