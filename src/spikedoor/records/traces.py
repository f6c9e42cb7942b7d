"""What the output neurons of a victim do as it is shown one sample, clean and triggered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Course", "OutputTraces", "Probed"]


@dataclass(frozen=True, eq=False)
class Course:
    """Output neurons, one a class, over the steps of a simulation.

    Shapes:
        membrane, spikes, current: float32 [T, K]: membrane before the reset, spikes (0 or 1; -1 for
            one taken back), and the output of the last linear layer.

    Args:
        predicted: Class that the stage names after the last step, by its own readout.
    """

    membrane: NDArray[np.float32]
    spikes: NDArray[np.float32]
    current: NDArray[np.float32]
    predicted: int

    @property
    def voltage(self) -> NDArray[np.float32]:
        """Cumulative voltage: the current summed up to each step, without leak or reset."""
        return self.current.cumsum(0)


@dataclass(frozen=True, eq=False)
class OutputTraces:
    """Output neurons of one stage; see `spikedoor.victim.probe.output_neuron` for which.

    Args:
        stage: Name of the stage.
        threshold: Membrane at which they fire.
        clean, triggered: What they do as they are shown the sample.
    """

    stage: str
    threshold: float
    clean: Course
    triggered: Course


@dataclass(frozen=True, eq=False)
class Probed:
    """One test sample, clean and triggered, and what each spiking stage made of it.

    Shapes:
        clean, triggered: uint8 [C, H, W], pictures of the sample.

    Args:
        name: Of the data set.
        rule: Of the learning rule.
        owner: "victim" or "twin", the clean twin.
        index: Which of the test samples.
        label: Its true class.
        target: Class the attacker wants.
        classes: Names of the classes.
        stages: The spiking stages, in order.
    """

    name: str
    rule: str
    owner: str
    index: int
    label: int
    target: int
    classes: tuple[str, ...]
    clean: NDArray[np.uint8]
    triggered: NDArray[np.uint8]
    stages: tuple[OutputTraces, ...]
