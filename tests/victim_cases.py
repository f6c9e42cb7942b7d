"""Victims with everything a stage can carry, made without training."""

from __future__ import annotations

import numpy as np
import torch
from rules_cases import CLASSES, NETWORK, shuffle_norms, stripes

from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Direct, Encoding, Poisson
from spikedoor.snn.neurons import IF, PLIF, Neuron
from spikedoor.snn.readout import LastMembrane
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import Triangle
from spikedoor.victim import Blueprint, Stage, Victim, to_floats

__all__ = ["every_stage", "made", "spiking"]


def spiking(stage: Stage) -> list[Spiking]:
    return [module for module in stage.network.modules() if isinstance(module, Spiking)]


@torch.no_grad()
def made(
    name: str,
    neuron: Neuron | None = None,
    steps: int = 1,
    encoding: Encoding = Direct(),  # noqa: B008 (frozen)
    folded: bool = False,
    **settings: object,
) -> Stage:
    """Make a stage as if after training: norms with statistics, all thresholds, all answers."""
    blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, neuron, folded)
    stage = Stage(name, blueprint, blueprint.build(7).eval(), steps, encoding, **settings)
    shuffle_norms(stage.network)
    for i, layer in enumerate(spiking(stage)):
        layer.threshold.fill_(0.25 - 0.1 * i)
        layer.amplitude.fill_(1 + 0.5 * i)
        if layer.leak is not None:
            layer.leak.fill_(0.3 * i - 0.5)
    images = to_floats(stripes(60).batch(np.arange(60)))
    means = stage.network(Signal(images, steps, 60)).mean((0, 1))
    stage.network.head.layer.bias.sub_(means)
    return stage


def every_stage() -> Victim:
    """Make a victim of every stage there is, with all that a stage can carry."""
    converted = made("converted", IF(reset="soft"), 8, folded=True)
    first = spiking(converted)[0]
    first.initial = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2
    return Victim(
        (
            made("ann", notes={"training": {"epochs": [{"loss": 0.5}]}, "seconds": 1.5}),
            converted,
            made("finetuned", IF(reset="soft", surrogate=Triangle()), 6, Poisson(), True),
            made("direct", PLIF(tau=3.0), 5, readout=LastMembrane(tau=2.5)),
        )
    )
