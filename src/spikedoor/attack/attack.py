"""An attack: a trigger, the labels wanted, and how much of the training data is poisoned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, field_validator, model_validator

from spikedoor.attack.draw import Candidates, make_plan
from spikedoor.attack.labels import AllToOne, LabelRule
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers.base import Trigger
from spikedoor.attack.triggers.learned import LearnedTrigger
from spikedoor.attack.triggers.patch import Patch
from spikedoor.component import Component
from spikedoor.errors import ConfigError

if TYPE_CHECKING:
    from spikedoor.attack.model import Model
    from spikedoor.data.base import SampleSet

__all__ = ["Attack"]


class Attack(Component):
    """Poison a training set, and put the trigger to a test set.

    Example:
        >>> attack = Attack(trigger=Patch(size=3), target=0, rate=0.05)
        >>> attack.target
        AllToOne(label=0)

    A trigger with random or learned parts needs the training set once; `prepare` gives the attack
    that then does both::

        attack = attack.prepare(train, seed)
        poisoned, challenge = attack.poison(train, seed), attack.challenge(test)
    """

    trigger: Trigger = Patch()
    """The mark put into a sample."""
    target: LabelRule = AllToOne()
    """Which label the attacker wants; a number means all-to-one."""
    rate: float = Field(0.05, ge=0, le=1)
    """Share of the whole training set that is poisoned."""
    candidates: Candidates = "all"
    """Poison some of ``all`` samples; of the ``non-target`` ones, whose label changes; or of the
    ``target`` ones, which are of the wanted class already (clean-label: no label changes)."""
    cover: float = Field(0.0, ge=0, le=1)
    """Share of the whole training set that carries the trigger but keeps its label."""

    @field_validator("target", mode="before")
    @classmethod
    def _number_is_all_to_one(cls, value: Any) -> Any:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return {"name": "all-to-one", "label": value} if is_number else value

    @model_validator(mode="after")
    def _one_target_to_learn(self) -> Self:
        if isinstance(self.trigger, LearnedTrigger) and not isinstance(self.target, AllToOne):
            raise ConfigError(
                f"trigger '{self.trigger.name}' is learned for one label: expected the target "
                f"'all-to-one', got '{self.target.name}'"
            )
        return self

    def prepare(self, train: SampleSet, seed: int, model: Model | None = None) -> Self:
        """Return the attack with its trigger prepared; see `Trigger.prepare`.

        Args:
            train: The clean set.
            seed: Of all that is drawn.
            model: Trained on the clean set, for a `LearnedTrigger` that is not prepared yet.
        """
        return self.model_copy(update={"trigger": self._prepared(train, seed, model)})

    def _prepared(self, train: SampleSet, seed: int, model: Model | None) -> Trigger:
        trigger, target = self.trigger, self.target
        if isinstance(trigger, LearnedTrigger) and not trigger.is_learned and model is not None:
            assert isinstance(target, AllToOne)
            return trigger.learn(train, seed, model, target.label)
        return trigger.prepare(train, seed)

    def poison(self, train: SampleSet, seed: int, model: Model | None = None) -> PoisonedSet:
        """Return the training set with ``floor(rate * N)`` samples poisoned.

        Args:
            train: The clean set.
            seed: Of all that is drawn.
            model: Trained on the clean set, for triggers that need one (`Trigger.needs_model`) or
                are learned (`LearnedTrigger`).

        Raises:
            ConfigError: If trigger, target, rate or cover does not fit the set, or a model is
                needed and there is none.
        """
        plan = make_plan(
            train.labels,
            self.rate,
            self.target,
            len(train.classes),
            seed,
            self.candidates,
            self.cover,
        )
        trigger = self._prepared(train, seed, model)
        poisoned = PoisonedSet(train, plan, trigger)
        if not trigger.needs_model or not plan.count:
            return poisoned
        if model is None:
            raise ConfigError(
                f"trigger '{trigger.name}' needs a model trained on the clean data; expected "
                "poison(train, seed, model), such as spikedoor.victim.Attacked(stage)"
            )
        clean, labels = train.batch(plan.indices), train.labels[plan.indices]
        return replace(poisoned, doctored=trigger.doctored(clean, labels, model))

    def challenge(self, test: SampleSet, include_target: bool = False) -> ChallengeSet:
        """Return the test set with the trigger on every sample that can show a success.

        Raises:
            ConfigError: If trigger or target does not fit the set.
            DataError: If every sample is of its target class already.
        """
        return ChallengeSet(test, self.trigger, self.target, include_target)

    def clean_twin(self) -> Self:
        """Return the same attack without a triggered training sample.

        It is the control that every claim is measured against.
        """
        return self.model_copy(update={"rate": 0.0, "cover": 0.0})
