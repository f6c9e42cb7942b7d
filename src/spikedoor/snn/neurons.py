"""The neuron models by name."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self, final

from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.registry import Family
from spikedoor.snn.activations import Spiking
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.surrogate import ATan, Surrogate

__all__ = ["IF", "LIF", "NEURONS", "PLIF", "DelayedLIF", "Neuron", "SignedIF"]

NEURONS = Family("neuron", home="spikedoor.snn.neurons")


class Neuron(Component):
    """A neuron model; `build` makes a layer of it. See `Dynamics` for the equations."""

    family = NEURONS

    threshold: float = Field(1.0, gt=0)
    """Membrane at which the neuron fires."""
    reset: Literal["hard", "soft"] = "hard"
    """At a spike: set the membrane to v_reset, or subtract the threshold."""
    v_reset: float = 0.0
    """Resting potential; must lie below the threshold."""
    detach_reset: bool = True
    """Keep gradients out of the reset."""
    surrogate: Surrogate = ATan()
    """Derivative that stands in for the spike's."""
    learn_threshold: bool = False
    """Learn the threshold, one for each layer, from here on; spikes stay as high as they are."""

    @model_validator(mode="after")
    def _rests_below_threshold(self) -> Self:
        if self.v_reset >= self.threshold:
            raise ValueError(f"expected v_reset below {self.threshold:g}, got {self.v_reset:g}")
        return self

    @abstractmethod
    def build(self) -> Spiking:
        """Make a layer of this neuron."""

    def _layer(
        self,
        keep: float,
        gain: float,
        learn_leak: bool = False,
        decay_input: bool = True,
        signed: bool = False,
        subtract: float = 1.0,
    ) -> Spiking:
        dynamics = Dynamics(
            keep=keep,
            gain=gain,
            threshold=self.threshold,
            soft=self.reset == "soft",
            v_reset=self.v_reset,
            initial=self.v_reset,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
            signed=signed,
            subtract=subtract,
        )
        return Spiking(dynamics, learn_leak, decay_input, self.learn_threshold)


@final
@NEURONS.register("if", "Cao et al. 2015", "https://doi.org/10.1007/s11263-014-0788-3")
class IF(Neuron):
    """Integrate and fire, without leak: ``h = v + x``."""

    def build(self) -> Spiking:
        return self._layer(1.0, 1.0)


@final
@NEURONS.register("signed-if", "Wang et al. 2022, SNM", "https://doi.org/10.24963/ijcai.2022/347")
class SignedIF(Neuron):
    """IF that can take spikes back: -1 where ``h <= -threshold`` and it has sent more than 0.

    Its surrogate acts at both thresholds. It runs step by step, without the compiled kernel.
    """

    reset: Literal["hard", "soft"] = "soft"
    """At a spike: set the membrane to v_reset, or take the spike's threshold off it."""

    def build(self) -> Spiking:
        return self._layer(1.0, 1.0, signed=True)


@final
@NEURONS.register("lif", "Gerstner and Kistler 2002", "https://doi.org/10.1017/CBO9780511815706")
class LIF(Neuron):
    """Leaky integrate and fire: ``h = v + (x - (v - v_reset)) / tau``.

    With ``decay_input=False`` the input is not divided: ``h = v - (v - v_reset) / tau + x``.
    """

    tau: float = Field(2.0, gt=1)
    """Membrane time constant in steps."""
    decay_input: bool = True
    """Whether the input is divided by tau as well."""

    def build(self) -> Spiking:
        return self._layer(1 - 1 / self.tau, 1 / self.tau if self.decay_input else 1.0)


@final
@NEURONS.register("plif", "Fang et al. 2021, PLIF", "https://arxiv.org/abs/2007.05785")
class PLIF(Neuron):
    """LIF whose time constant is learned, one for each layer: ``1 / tau = sigmoid(leak)``."""

    tau: float = Field(2.0, gt=1)
    """Time constant in steps to start from."""
    decay_input: bool = True
    """Whether the input is divided by tau as well."""

    def build(self) -> Spiking:
        gain = 1 / self.tau if self.decay_input else 1.0
        return self._layer(1 - 1 / self.tau, gain, True, self.decay_input)


@final
@NEURONS.register("delayed-lif", "Eshraghian et al. 2023", "https://arxiv.org/abs/2109.12894")
class DelayedLIF(Neuron):
    """LIF whose soft reset comes a step late: ``h[t] = beta h[t-1] + x[t] - threshold s[t-1]``.

    This is what snnTorch does by default. A soft reset at once would be ``beta threshold s[t-1]``,
    as the leak acts on it too; so this is one that subtracts ``threshold / beta``. A hard reset is
    the same at once and late. It runs without the compiled kernel.
    """

    reset: Literal["hard", "soft"] = "soft"
    """At a spike: set the membrane to v_reset, or take the threshold off the next one."""
    beta: float = Field(0.9, gt=0, le=1)
    """Share of the membrane kept in a step; the input is taken whole."""

    def build(self) -> Spiking:
        return self._layer(self.beta, 1.0, subtract=1 / self.beta)
