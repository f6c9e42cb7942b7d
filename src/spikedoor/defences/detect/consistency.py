"""A trigger keeps its class through changes that take it from other inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, final

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from spikedoor.data.base import SampleSet, modality_of
from spikedoor.defences.base import DEFENCES
from spikedoor.defences.detect.calibrated import Calibrated, Scores, probabilities, simulated
from spikedoor.errors import ConfigError
from spikedoor.rng import generator
from spikedoor.victim import Stage

__all__ = ["Consistency"]


@final
@DEFENCES.register("consistency", source="Guo et al. 2023", link="https://arxiv.org/abs/2302.03251")
class Consistency(Calibrated):
    """Change each input in several ways, and look at how much of its class is left.

    score = mean over the changes g of p_k(g(x)), with the softmax p of the class scores after the
    last step and the class k of x itself; with ``suspicious = "inconsistent"``, the negative.
    Flagged is a score above the quantile of clean ones. What is changed is the current of the
    pixels:

    - ``scale`` multiplies it by each of the factors; images are clipped (SCALE-UP).
    - ``drop`` leaves out frames of a recording, another choice of them in each copy.
    - ``shuffle`` puts the frames in another order in each copy; ``reverse`` in the opposite one.
    - ``polarity`` takes ON events for OFF and OFF for ON.

    Needs: a few clean samples, without labels.
    Looks at: class scores only.
    Fails: where the change takes the trigger away too: dropped frames a short flash, another
    polarity one of ON events alone (``"inconsistent"`` finds these, as long as clean inputs keep
    theirs), clipping a faint or dark trigger. An image is the same at every step, so there is
    nothing but ``scale``.

    Deviations:
        Probabilities of the class where SCALE-UP counts the copies that keep it: of few copies most
        inputs tie, and no threshold would flag them. Its per-class means are left out.
    """

    change: Literal["scale", "drop", "shuffle", "reverse", "polarity"] = "scale"
    """What is changed; all but ``scale`` need recordings, or frames of them."""
    factors: tuple[float, ...] = (3, 5, 7, 9, 11)
    """Factors of ``scale``."""
    copies: int = Field(5, ge=1)
    """Number of changed copies of ``drop`` and ``shuffle``."""
    kept: float = Field(0.5, gt=0, lt=1)
    """Share of the frames that ``drop`` leaves."""
    suspicious: Literal["consistent", "inconsistent"] = "consistent"
    """Which inputs score high."""

    @field_validator("factors")
    @classmethod
    def _positive(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if not factors or min(factors) <= 0:
            raise ValueError(f"expected one factor or more, all above 0, got {list(factors)}")
        return factors

    def _compared(
        self, stage: Stage, known: SampleSet, inputs: SampleSet, seed: int
    ) -> tuple[Scores, Scores]:
        if self.change != "scale" and modality_of(inputs) == "image":
            raise ConfigError(
                f"defence '{self.name}': an image is the same at every step and has no polarity; "
                f"expected change = \"scale\" for '{inputs.name}', got '{self.change}'"
            )
        return self._scores(stage, known, seed), self._scores(stage, inputs, seed)

    def _scores(self, stage: Stage, data: SampleSet, seed: int) -> Scores:
        said = simulated(stage, data, seed)[-1].argmax(1)
        left = [
            probabilities(simulated(stage, data, seed, change)[-1])[np.arange(len(said)), said]
            for change in self._changes(seed)
        ]
        found = np.mean(left, 0)
        return found if self.suspicious == "consistent" else -found

    def _changes(self, seed: int) -> Iterator[Callable[[Tensor], Tensor]]:
        if self.change == "scale":
            for factor in self.factors:
                yield lambda x, n=factor: (x * n).clamp(max=1) if x.dim() == 4 else x * n
        elif self.change == "polarity":
            yield lambda x: x.flip(2) if x.shape[2] == 2 else -x
        else:
            for copy in range(1 if self.change == "reverse" else self.copies):
                yield lambda x, i=copy: self._in_time(x, seed, i)

    def _in_time(self, x: Tensor, seed: int, copy: int) -> Tensor:
        """Change the frames [B, T, C, H, W] of all samples in the same way."""
        steps = x.shape[1]
        if steps < 2:
            raise ConfigError(
                f"defence '{self.name}': expected an encoding that shows 2 frames or more to "
                f'\'{self.change}\', got one; change = "scale" and "polarity" need no time'
            )
        if self.change == "reverse":
            return x.flip(1)
        order = generator(seed, f"{self.change}, copy {copy}").permutation(steps)
        if self.change == "shuffle":
            return x[:, torch.as_tensor(order, device=x.device)]
        changed = x.clone()
        left = max(round(self.kept * steps), 1)
        changed[:, torch.as_tensor(order[left:], device=x.device)] = 0
        return changed
