"""Triggers that the attacker learns against a model of their own."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr

from spikedoor.attack.triggers.base import Trigger
from spikedoor.errors import ConfigError

if TYPE_CHECKING:
    from spikedoor.attack.model import Model
    from spikedoor.data.base import SampleSet

__all__ = ["LearnedTrigger", "Weights"]

Weights = dict[str, NDArray[np.float32]]


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

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, type(self)) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, key) for key in type(self).model_fields)))
