"""How many synaptic operations a spiking stage needs for a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikedoor.data.base import SampleSet
from spikedoor.data.strata import spread
from spikedoor.errors import ConfigError
from spikedoor.victim.stage import Stage

__all__ = ["operations", "synapses_of"]


def operations(
    stage: Stage, data: SampleSet, samples: int = 128, seed: int = 0
) -> NDArray[np.float64]:
    """Return the synaptic operations of each sample, over all steps, float64 [N].

    A value that is not zero costs one operation at each synapse that it reaches: one for each
    weight that it meets, padding counted as if it had neurons. Counted are the layers behind the
    first one, which is shown currents and not spikes, and the head is. An average of spikes counts
    as one value.

    Args:
        stage: A stage of spiking neurons.
        data: Samples to show; evenly spaced ones are taken.
        samples: How many.
        seed: Of a random encoding.

    Raises:
        ConfigError: If the stage has no spiking neurons.
    """
    if stage.blueprint.neuron is None:
        raise ConfigError(f"stage '{stage.name}' has no spiking neurons to count operations of")
    if next(stage.network.synapses(), None) is None:
        raise ConfigError(
            f"stage '{stage.name}' has no layers of ours: which weights a spike meets in a wrapped "
            "module is not known"
        )
    chosen = spread(len(data), samples)
    count = len(chosen)
    with _watched(stage) as seen:
        stage.predict(data, seed, chosen, title=None, together=count)
    total = np.zeros(count)
    for fan_out, counts in seen:
        # The last piece of a simulation may go on beyond its end.
        by_step = np.concatenate(counts).reshape(-1, count)[: stage.steps]
        total += fan_out * by_step.sum(0)
    return total


def synapses_of(layer: nn.Conv2d | nn.Linear) -> float:
    """Return how many weights a value meets: all outputs, or kernels over stride.

    Of a convolution, those of the channels of the value's own group alone.
    """
    if isinstance(layer, nn.Linear):
        return layer.out_features
    height, width = layer.kernel_size
    rows, columns = layer.stride
    return layer.out_channels / layer.groups * height * width / (rows * columns)


@contextmanager
def _watched(stage: Stage) -> Iterator[list[tuple[float, list[NDArray[np.int64]]]]]:
    """Yield, of each layer, what a value costs, and how many there are in each frame."""
    seen: list[tuple[float, list[NDArray[np.int64]]]] = []

    def counter(layer: nn.Conv2d | nn.Linear) -> Callable[[Tensor], None]:
        counts: list[NDArray[np.int64]] = []
        seen.append((synapses_of(layer), counts))
        return lambda x: counts.append(torch.count_nonzero(x.flatten(1), dim=1).cpu().numpy())

    _, *others = stage.network.synapses()
    for synapse in others:
        synapse.observer = counter(synapse.layer)
    head = stage.network.head.layer
    see = counter(head)
    handle = head.register_forward_pre_hook(lambda _, inputs: see(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()
        for synapse in others:
            synapse.observer = None
