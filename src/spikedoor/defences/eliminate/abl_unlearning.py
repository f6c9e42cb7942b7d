"""Unlearn the samples that a detector takes for poisoned."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field, field_validator

from spikedoor.defences.base import DEFENCES, DataDetector, Defence, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.beatrix import Beatrix
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.eliminate.masks import batches
from spikedoor.progress import bar
from spikedoor.rules.optimisers import Adam, Optimiser
from spikedoor.victim import Stage

__all__ = ["AblUnlearning"]


@final
@DEFENCES.register(
    "abl-unlearning", source="Li et al. 2021, ABL", link="https://arxiv.org/abs/2110.11571"
)
class AblUnlearning(Eliminator):
    """Climb the loss of what a detector flags and descend that of the rest.

    ``min_w CE_rest - min(CE_flagged, log K)``, K classes: the ascent, with the labels as given,
    breaks the link between trigger and target class, and ends for samples that are at chance. The
    weights are those after the last epoch in which accuracy on the validation samples is at least
    ``before - tolerance``.

    Needs: the training set with the labels as given, and validation samples to stop by.
    Looks at: the samples that its detector flags, and nothing else.
    Fails: where the detector misses poisoned samples, which the descent learns again, or flags
    clean ones, which are unlearned too.

    Deviations:
        Starts from the victim, in place of a network trained by local gradient ascent. Any detector
        of poisoned samples will do. Ascent and descent share each step and the ascent is bounded:
        one after the other, without a bound, costs the classes. Adam in place of SGD; norms keep
        their running statistics.
    """

    needs_training_set = True

    isolation: Defence = Beatrix()
    """Detector of poisoned training samples; the published one is "abl-isolation"."""
    epochs: int = Field(40, ge=1)
    """Passes over what is flagged, at most."""
    optimiser: Optimiser = Adam(lr=5e-4)
    """Of the weights."""
    batch: int = Field(64, ge=1)
    """Samples of each kind in a step."""
    tolerance: float = Field(0.05, ge=0, lt=1)
    """Loss of validation accuracy allowed."""

    @field_validator("isolation")
    @classmethod
    def _finds_samples(cls, method: Defence) -> Defence:
        if not isinstance(method, DataDetector):
            raise ValueError(
                f"expected a detector of poisoned training samples, got '{method.name}'"
            )
        return method

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage after both.

        Raises:
            ConfigError: If the defender has no training set, or the detector refuses the stage.
        """
        start = time.perf_counter()
        defender.training_set(self.name)
        assert isinstance(self.isolation, DataDetector)
        flagged = self.isolation.detect(stage, defender).flagged
        made = stage.copied()
        made.network.eval()
        before = accuracy(made, defender.validation, defender.seed).value
        course = [before]
        kept: dict[str, Any] = copy.deepcopy(made.network.state_dict())
        for _ in self._epochs(made, defender, flagged):
            course.append(accuracy(made, defender.validation, defender.seed).value)
            if course[-1] >= before - self.tolerance:
                kept = copy.deepcopy(made.network.state_dict())
        made.network.load_state_dict(kept)
        made.network.zero_grad()
        made.notes["repair"] = {
            "flagged": int(flagged.sum()),
            "validation": course,
            "seconds": time.perf_counter() - start,
        }
        return made

    def _epochs(
        self, made: Stage, defender: Defender, flagged: NDArray[np.bool_]
    ) -> Iterator[None]:
        """Yield after each pass over what is flagged; there is none where it is nothing or all."""
        suspects, rest = np.flatnonzero(flagged), np.flatnonzero(~flagged)
        if not (len(suspects) and len(rest)):
            return
        optimiser = self.optimiser.build(made.network.parameters())
        data, seed, size = defender.training_set(self.name), defender.seed, self.batch
        steps = -(-len(suspects) // size)
        total = self.epochs * steps
        up = batches(made, data, size, total, seed, "unlearning", suspects)
        down = batches(made, data, size, total, seed, "fine-tuning", rest)
        with bar(f"unlearn {made.name}", total) as advance:
            for step, (worse, better) in enumerate(zip(up, down, strict=True), 1):
                optimiser.zero_grad()
                for sign, (signal, labels) in ((-1, worse), (1, better)):
                    scores = made.readout.scores(made.network(signal))[-1]
                    losses = F.cross_entropy(scores, labels, reduction="none")
                    if sign < 0:  # beyond chance a label is never the answer
                        losses = losses.clamp(max=math.log(scores.shape[1]))
                    (sign * losses.mean()).backward()
                optimiser.step()
                advance()
                if step % steps == 0:
                    yield
