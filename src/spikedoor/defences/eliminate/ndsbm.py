"""Bound the currents of neurons by what clean samples need."""

from __future__ import annotations

import time
from typing import final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn
from torch.func import functional_call

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.eliminate.masks import batches
from spikedoor.defences.layers import neurons
from spikedoor.progress import bar
from spikedoor.rules.optimisers import Adam, Optimiser
from spikedoor.snn.activations import Spiking
from spikedoor.snn.bounds import Bounds
from spikedoor.snn.networks import Network
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage

__all__ = ["NDSBM"]

_PURPOSE = "bounding"


@final
@DEFENCES.register("ndsbm", source="Li et al. 2025", link="https://arxiv.org/abs/2510.06629")
class NDSBM(Eliminator):
    """Clamp the current of each step and channel between limits drawn in as far as clean data let.

    Neural dendrites suppression: with v the mean over time of what the head gives, of the clamped
    network and of the one given, ``min over lo, hi: mean (v_clamped - v)^2 / var(v) + c sum over
    layers (|lo| + |hi|)``, where lo and hi are [T, C] of each spiking layer, ``|.|`` is the
    Euclidean norm, and limits are in units of the layer's threshold. What a trigger drives beyond
    the range of clean samples is cut off. No label is used to learn the limits.

    Needs: clean samples; labels only of validation samples, to choose c by.
    Looks at: the range of currents that leaves the output on clean samples as it is.
    Fails: where the trigger's channels are those of a class and are not driven further than by its
    samples; on an ANN, which it refuses.

    Deviations:
        The published c belongs to the scale of the published networks' outputs; here the error is
        in units of the outputs' variance, and c is the largest of ``penalties`` at which accuracy
        on validation samples falls by no more than the tolerance (without one, nothing is bounded),
        the variance being that of the first batch. All clean samples are shown, not
        20 a class. Every spiking layer is clamped. The second pass, which asks again about what
        is taken for a target found by a detector alone, is left to the user.
    """

    penalties: tuple[float, ...] = Field((0.1, 0.03, 0.01, 0.003, 0.001), min_length=1)
    """Weights c of the limits' norms to try."""
    start: float = Field(10.0, gt=0)
    """Limits to start from, in thresholds."""
    epochs: int = Field(50, ge=1)
    """Passes over the clean samples."""
    optimiser: Optimiser = Adam(lr=0.1)
    """Of the limits."""
    batch: int = Field(32, ge=1)
    """Samples in a step."""
    tolerance: float = Field(0.05, ge=0, lt=1)
    """Loss of validation accuracy allowed."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage with bounds on its currents.

        Raises:
            ConfigError: If the stage has no spiking neurons.
        """
        neurons(stage, self.name)
        begun = time.perf_counter()
        before = accuracy(stage, defender.validation, defender.seed).value
        course: dict[str, float] = {}
        for penalty in sorted(self.penalties, reverse=True):
            made, chosen = self.bound(stage, defender, penalty), penalty
            found = accuracy(made, defender.validation, defender.seed).value
            course[f"{penalty:g}"] = found
            if found >= before - self.tolerance:
                break
        else:
            made, chosen = stage.copied(), None
        made.notes["repair"] = {
            "penalty": chosen,
            "validation": course,
            "validation_before": before,
            "seconds": time.perf_counter() - begun,
        }
        return made

    @torch.enable_grad()
    def bound(self, stage: Stage, defender: Defender, penalty: float) -> Stage:
        """Return the stage with the limits that one weight of their norms gives."""
        original, made, data = stage.copied().network.eval(), stage.copied(), defender.clean
        network = made.network.eval().requires_grad_(False)
        layers = neurons(made, self.name)
        count = self.epochs * -(-len(data) // self.batch)
        first, _ = next(batches(made, data, self.batch, 1, defender.seed, _PURPOSE))
        start = torch.tensor([-self.start, self.start], device=made.device).view(2, 1, 1)
        limits = {
            name: nn.Parameter(start.repeat(1, made.steps, channels))
            for name, channels in _channels(network, layers, first).items()
        }
        units = {name: layer.threshold_in_force for name, layer in layers.items()}

        def put() -> None:
            for name, pair in limits.items():
                layers[name].bounds = Bounds(*(units[name] * pair.detach()))

        put()
        with torch.no_grad():
            scale = original(first).mean(0).var().clamp_min(1e-12)
        optimiser = self.optimiser.build(limits.values())
        shown = batches(made, data, self.batch, count, defender.seed, _PURPOSE)
        with bar(f"bound {stage.name}", count) as advance:
            for signal, _ in shown:
                values = {
                    f"{name}.bounds.{end}": units[name] * side
                    for name, pair in limits.items()
                    for end, side in zip(("lower", "upper"), pair, strict=True)
                }
                found = functional_call(network, values, (signal,)).mean(0)
                with torch.no_grad():
                    wanted = original(signal).mean(0)
                norms = torch.stack([side.norm() for pair in limits.values() for side in pair])
                loss = F.mse_loss(found, wanted) / scale + penalty * norms.sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                advance()
        put()
        network.requires_grad_()
        return made


@torch.no_grad()
def _channels(network: Network, layers: dict[str, Spiking], signal: Signal) -> dict[str, int]:
    """Return the number of channels of each layer, as it comes out when a batch is shown."""
    found: dict[str, int] = {}
    for name, layer in layers.items():
        layer.observer = lambda spikes, name=name: found.update({name: spikes.shape[1]})
    try:
        network(signal)
    finally:
        for layer in layers.values():
            layer.observer = None
    return found
