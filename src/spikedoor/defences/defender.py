"""What a defender has: some clean samples of their own, and perhaps the training set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from spikedoor.data.base import SampleSet
from spikedoor.data.strata import split
from spikedoor.errors import ConfigError
from spikedoor.rng import generator

__all__ = ["Defender"]


@dataclass(frozen=True, eq=False)
class Defender:
    """What a defender has.

    Args:
        clean: Trusted samples to learn from, with true labels.
        validation: Trusted samples to choose by, others than these.
        train: The training set as the victim got it, which may be poisoned; None if it is not at
            hand.
        seed: Of everything random in a defence.

    Raises:
        ConfigError: If there are no clean samples.
    """

    clean: SampleSet
    validation: SampleSet
    train: SampleSet | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("clean", "validation"):
            if not len(getattr(self, name)):
                raise ConfigError(f"defender: expected one or more {name} samples, got none")

    @classmethod
    def of(
        cls,
        clean: Any,
        share: float = 0.05,
        train: SampleSet | None = None,
        seed: int = 0,
        validation: float = 0.2,
    ) -> Self:
        """Draw the defender's samples from a clean training set, the same share of each class.

        Args:
            clean: The training set before any poisoning.
            share: Share of it that the defender has.
            train: As of the class.
            seed: Of the draw, and of the defence.
            validation: Share of the defender's samples that is kept to choose by.

        Raises:
            ConfigError: If the share is not above 0 and at most 1, or so few samples would leave
                either part empty.
        """
        if not 0 < share <= 1:
            raise ConfigError(f"defender: expected a share above 0 and at most 1, got {share:g}")
        labels = np.asarray(clean.labels)
        _, drawn = split(labels, int(share * len(labels)), generator(seed, "defender's samples"))
        held = round(validation * len(drawn))
        if not 0 < held < len(drawn):
            raise ConfigError(
                f"defender: {share:g} of {len(labels)} samples are {len(drawn)}, too few to "
                "divide; expected a larger share"
            )
        kept, held_out = split(labels[drawn], held, generator(seed, "defender's validation"))
        return cls(clean.subset(drawn[kept]), clean.subset(drawn[held_out]), train, seed)

    def training_set(self, name: str) -> SampleSet:
        """Return the training set.

        Raises:
            ConfigError: If the defender has none; ``name`` is the defence that needs it.
        """
        if self.train is None:
            raise ConfigError(f"defence '{name}' needs the training set of the victim")
        return self.train
