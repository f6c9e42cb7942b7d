"""Triggers that the attacker learns against a model of their own."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr

from spikedoor.attack.triggers.base import Trigger
from spikedoor.data.files import read_limited
from spikedoor.data.npz import parse_npz_arrays
from spikedoor.errors import ConfigError, DataError
from spikedoor.files import npz

if TYPE_CHECKING:
    from spikedoor.attack.model import Model
    from spikedoor.data.base import SampleSet

__all__ = [
    "WEIGHTS_FILE",
    "LearnedTrigger",
    "Weights",
    "packed_weights",
    "prepared",
    "read_weights",
    "unpacked_weights",
]

WEIGHTS_FILE = "trigger.npz"
"""Where a run keeps what its trigger has learned."""

Weights = dict[str, NDArray[np.float32]]

_MAX_BYTES = 1 << 30


class LearnedTrigger(Trigger):
    """A trigger with parts learned against a model that was trained on the clean data.

    `learn` gives the prepared trigger; its `weights` are all that was learned, so that the very
    trigger of the training can be had again, by `with_weights`, for the test. They are no field:
    a prepared trigger has the configuration of the plain one.
    """

    _weights: Weights | None = PrivateAttr(default=None)

    @abstractmethod
    def learn(self, train: SampleSet, seed: int, model: Model, target: int) -> Self:
        """Return the trigger with its parts learned.

        Args:
            train: The clean training set.
            seed: Of all that is drawn.
            model: Trained on the clean set.
            target: Label that the trigger is to bring about.

        Raises:
            ConfigError: If the trigger is made for other samples, or the model takes others.
        """

    @property
    def is_learned(self) -> bool:
        """Whether there are weights."""
        return self._weights is not None

    @property
    def weights(self) -> Weights:
        """What was learned.

        Raises:
            ConfigError: If nothing was.
        """
        if self._weights is None:
            raise ConfigError(
                f"trigger '{self.name}' is not prepared: it is learned against a model trained on "
                "the clean data; expected prepare(train, seed, model) of the attack, with a model "
                "such as spikedoor.victim.Attacked(stage)"
            )
        return self._weights

    def with_weights(self, weights: Weights) -> Self:
        """Return the trigger with parts that were learned before."""
        prepared = self.model_copy()
        prepared._weights = weights
        return prepared

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return itself, if it was learned.

        Raises:
            ConfigError: If it was not; see `learn`.
        """
        del train, seed
        _ = self.weights
        return self


def prepared(
    trigger: Trigger, train: SampleSet, seed: int, weights: Weights | None = None
) -> Trigger:
    """Return a trigger with what it has learned before, or else with its parts drawn.

    Raises:
        ConfigError: If it is to be learned and there are no weights, or they are of another.
    """
    if isinstance(trigger, LearnedTrigger) and weights is not None:
        return trigger.with_weights(weights)
    return trigger.prepare(train, seed)


def packed_weights(weights: Weights) -> bytes:
    """Return weights as the content of a file."""
    return npz(weights)


def unpacked_weights(content: bytes) -> Weights:
    """Return the weights in a file; nothing in it can run code.

    Raises:
        DataError: If it is no such file.
    """
    arrays = parse_npz_arrays(content, "weights of a learned trigger", _MAX_BYTES)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise DataError(f"weights of a learned trigger: expected numbers as {name!r:.80}")
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def read_weights(path: Path) -> Weights | None:
    """Return the weights in a file beside a record, or None where there is none.

    Raises:
        DataError: If it is no such file, or too large.
    """
    return unpacked_weights(read_limited(path, _MAX_BYTES)) if path.is_file() else None
