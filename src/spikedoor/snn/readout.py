"""From the head's output at each step to class scores, as they stand after each step."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self, final

import torch
from pydantic import Field, model_validator
from torch import Tensor

from spikedoor.component import Component
from spikedoor.registry import Family
from spikedoor.snn.kernels import fire
from spikedoor.snn.neurons import LIF, PLIF, Neuron

__all__ = ["READOUTS", "LastMembrane", "MeanCurrent", "MeanRate", "Readout", "SummedMembrane"]

READOUTS = Family("readout", home="spikedoor.snn.readout")


class Readout(Component):
    """How class scores are read; every readout can be asked after any step."""

    family = READOUTS

    @abstractmethod
    def scores(self, currents: Tensor) -> Tensor:
        """Return the scores if one stopped after each step.

        Shapes:
            currents: (steps, batch, classes), the head's output; the result likewise. The last
            step's scores are those of the whole run.
        """


def _running_mean(x: Tensor) -> Tensor:
    steps = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)
    return x.cumsum(0) / steps.view(-1, 1, 1)


def _membranes(currents: Tensor, tau: float | None) -> Tensor:
    """Integrate without firing: ``u[t] = (1 - 1/tau) u[t-1] + x[t]``; no tau, no leak."""
    if tau is None:
        return currents.cumsum(0)
    membrane, trace = torch.zeros_like(currents[0]), []
    for current in currents:
        membrane = (1 - 1 / tau) * membrane + current
        trace.append(membrane)
    return torch.stack(trace)


@final
@READOUTS.register("mean-current")
class MeanCurrent(Readout):
    """Mean over time of the last linear layer's output."""

    def scores(self, currents: Tensor) -> Tensor:
        return _running_mean(currents)


@final
@READOUTS.register("mean-rate")
class MeanRate(Readout):
    """Firing rate of output neurons: mean over time of their spikes."""

    neuron: Neuron = LIF()
    """Neuron model of the output layer; nothing in it is learned, so PLIF is refused."""

    @model_validator(mode="after")
    def _nothing_to_learn(self) -> Self:
        if isinstance(self.neuron, PLIF):
            raise ValueError("a readout learns nothing: expected 'if' or 'lif', got 'plif'")
        if self.neuron.learn_threshold:
            raise ValueError("a readout learns nothing: expected learn_threshold = false, got true")
        return self

    def scores(self, currents: Tensor) -> Tensor:
        steps, batch = currents.shape[:2]
        dynamics = self.neuron.build().dynamics()
        spikes = fire(currents.flatten(0, 1), steps, batch, dynamics)
        return _running_mean(spikes.unflatten(0, (steps, batch)))


@final
@READOUTS.register("last-membrane", "Rathi et al. 2020", "https://arxiv.org/abs/2005.01807")
class LastMembrane(Readout):
    """Membrane of output neurons that integrate and never fire, at the last step."""

    tau: float | None = Field(None, gt=1)
    """Time constant in steps; none means no leak."""

    def scores(self, currents: Tensor) -> Tensor:
        return _membranes(currents, self.tau)


@final
@READOUTS.register("summed-membrane")
class SummedMembrane(Readout):
    """The same membrane summed over all steps, so that early input counts more."""

    tau: float | None = Field(None, gt=1)
    """Time constant in steps; none means no leak."""

    def scores(self, currents: Tensor) -> Tensor:
        return _membranes(currents, self.tau).cumsum(0)
