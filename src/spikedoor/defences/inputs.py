"""Inputs as a model in use meets them: some clean, some triggered, none labelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import Modality, SampleSet, checked_indices, modality_of
from spikedoor.data.events import Events
from spikedoor.errors import ConfigError

__all__ = ["Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples of one set, and after them samples of another of the same kind.

    Args:
        first, second: The sets.
        chosen: Which samples of each, int64.
    """

    first: SampleSet
    second: SampleSet
    chosen: tuple[NDArray[np.int64], NDArray[np.int64]]

    @property
    def name(self) -> str:
        """Name of the first set."""
        return self.first.name

    @property
    def modality(self) -> Modality:
        """What a sample is."""
        return modality_of(self.first)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a sample."""
        return self.first.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.first.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """There are none."""
        raise ConfigError("inputs of a model in use have no labels")

    @cached_property
    def from_second(self) -> NDArray[np.bool_]:
        """Which inputs are of the second set, bool [N]."""
        return np.arange(len(self)) >= len(self.chosen[0])

    def __len__(self) -> int:
        return sum(map(len, self.chosen))

    def batch(self, indices: NDArray[np.integer]) -> Any:
        """Return samples as the sets do, in the order asked for."""
        asked = checked_indices(self.name, indices, len(self))
        of_second = self.from_second[asked]
        ours, theirs = asked[~of_second], asked[of_second] - len(self.chosen[0])
        parts = [
            data.batch(chosen[where])
            for data, chosen, where in (
                (self.first, self.chosen[0], ours),
                (self.second, self.chosen[1], theirs),
            )
            if len(where)
        ]
        if len(parts) < 2:
            return parts[0] if parts else self.first.batch(np.zeros(0, np.int64))
        back = np.argsort(np.argsort(of_second, kind="stable"))
        if isinstance(parts[0], Events):
            return Events.join(parts).take(back)
        return np.concatenate(parts)[back]
