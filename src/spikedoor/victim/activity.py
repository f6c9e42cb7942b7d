"""How often the neurons of a stage fire, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.data.strata import spread
from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation
from spikedoor.victim.stage import Stage

__all__ = ["Activity", "activity"]


@dataclass(frozen=True, eq=False)
class Activity:
    """Firing rates: spikes a neuron and step, from 0 to 1. A negative spike is a spike.

    Shapes:
        by_layer: float [T, L], at each step, mean over neurons and samples.
        by_sample: float [T, N], at each step, mean over all neurons of the network.

    Args:
        layers: Paths of the spiking layers, in the order of the signal.
    """

    layers: tuple[str, ...]
    by_layer: NDArray[np.float64]
    by_sample: NDArray[np.float64]

    def until(self, step: int) -> NDArray[np.float64]:
        """Return each sample's rate over the first steps, [N]."""
        return self.by_sample[:step].mean(0)


def activity(stage: Stage, data: SampleSet, samples: int = 128, seed: int = 0) -> Activity:
    """Count the spikes of all layers over one simulation.

    Args:
        stage: A stage of spiking neurons.
        data: Samples to show; evenly spaced ones are taken.
        samples: How many.
        seed: Of a random encoding.

    Raises:
        ConfigError: If the stage has no spiking neurons.
    """
    modules = stage.network.named_modules()
    layers = [(name, module) for name, module in modules if isinstance(module, Activation)]
    if not layers or stage.blueprint.neuron is None:
        raise ConfigError(f"stage '{stage.name}' has no spiking neurons to count the spikes of")
    chosen = spread(len(data), samples)
    count = len(chosen)
    counts: list[list[Tensor]] = [[] for _ in layers]
    sizes = [0] * len(layers)
    with _watched([layer for _, layer in layers], counts, sizes, count):
        stage.predict(data, seed, chosen, title=None, together=count)
    steps = stage.steps
    spikes = np.stack([torch.cat(pieces)[:steps].numpy() for pieces in counts])  # [L, T, N]
    neurons = np.array(sizes, dtype=np.float64)
    return Activity(
        tuple(name for name, _ in layers),
        (spikes.mean(2).T / neurons),
        spikes.sum(0) / neurons.sum(),
    )


@contextmanager
def _watched(
    layers: list[Activation], counts: list[list[Tensor]], sizes: list[int], batch: int
) -> Iterator[None]:
    """Have the layers leave the number of spikes of each sample and step, (steps, batch)."""

    def see(i: int, spikes: Tensor) -> None:
        sizes[i] = spikes[0].numel()
        fired = torch.count_nonzero(spikes.flatten(1), dim=1).double().cpu()
        counts[i].append(fired.unflatten(0, (-1, batch)))

    for i, layer in enumerate(layers):
        layer.observer = lambda spikes, i=i: see(i, spikes)
    try:
        yield
    finally:
        for layer in layers:
            layer.observer = None
