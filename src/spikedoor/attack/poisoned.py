"""Poisoned views of a data set: nothing is copied, triggers go on as a batch is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.labels import LabelRule, Labels
from spikedoor.attack.plan import PoisonPlan
from spikedoor.attack.triggers.base import Indices, Mask, Modality, Shape, Trigger, check_modality
from spikedoor.data.base import SampleSet, checked_indices
from spikedoor.data.events import Events
from spikedoor.errors import DataError

__all__ = ["ChallengeSet", "PoisonedSet"]

_Array = TypeVar("_Array", bound=np.ndarray)


class _Marked:
    """What a view of a set under a trigger has of the set."""

    base: SampleSet
    trigger: Trigger

    @property
    def name(self) -> str:
        """Name of the clean set."""
        return self.base.name

    @property
    def modality(self) -> Modality:
        """What a sample is."""
        return self.trigger.modality

    @property
    def shape(self) -> Shape:
        """Shape (C, H, W) of a sample."""
        return self.base.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.base.classes


@dataclass(frozen=True, eq=False)
class PoisonedSet(_Marked):
    """A training set in which some samples carry a trigger and the attacker's label.

    Cover samples carry the trigger as well, but keep their true label.

    Args:
        base: The clean set; it is left as it is.
        plan: Which samples, and their labels.
        trigger: The prepared trigger.
        doctored: What stands in place of the poisoned samples before they are marked, in the
            plan's order; None for the clean samples.

    Raises:
        ConfigError: If the trigger is made for other samples, or does not fit these.
        DataError: If the plan is for another set, or there are not as many doctored samples.
    """

    base: SampleSet
    plan: PoisonPlan
    trigger: Trigger
    doctored: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        classes = len(self.base.classes)
        if self.plan.total != len(self.base):
            raise DataError(
                f"poison plan for {self.plan.total} samples, but '{self.base.name}' has "
                f"{len(self.base)}"
            )
        if self.plan.count and self.plan.targets.max() >= classes:
            raise DataError(
                f"poison plan with label {self.plan.targets.max()}, but '{self.base.name}' has "
                f"{classes} classes"
            )
        if self.doctored is not None and self.doctored.shape != (self.plan.count, *self.base.shape):
            raise DataError(
                f"expected {self.plan.count} doctored samples of shape {list(self.base.shape)}, "
                f"got {list(self.doctored.shape)}"
            )
        check_modality(self.trigger, self.base)
        self.trigger.mask(self.base.shape)

    @property
    def clean(self) -> SampleSet:
        """The set as it was before poisoning, with true labels."""
        return self.base

    @property
    def labels(self) -> Labels:
        """True labels, and the attacker's for poisoned samples, int64 [N]."""
        return self._relabelled

    @cached_property
    def _relabelled(self) -> Labels:
        return _locked(self.plan.relabel(self.base.labels))

    @cached_property
    def poisoned(self) -> Mask:
        """Which samples are poisoned, bool [N]."""
        return self._marked(self.plan.indices)

    @cached_property
    def covered(self) -> Mask:
        """Which samples are cover samples, bool [N]."""
        return self._marked(self.plan.cover)

    def _marked(self, indices: Labels) -> Mask:
        chosen = np.zeros(len(self.base), dtype=np.bool_)
        chosen[indices] = True
        return _locked(chosen)

    def __len__(self) -> int:
        return len(self.base)

    def batch(self, indices: NDArray[np.integer]) -> Any:
        """Return samples as the clean set does, poison and cover with the trigger.

        Raises:
            DataError: If the indices are not whole numbers in 0 to N - 1.
        """
        chosen = checked_indices(self.name, indices, len(self))
        samples: Any = self.base.batch(chosen)
        if self.doctored is not None:
            here = self.poisoned[chosen]
            samples[here] = self.doctored[np.searchsorted(self.plan.indices, chosen[here])]
        for marked, mark in (
            (self.poisoned[chosen], self.trigger.apply_in_training),
            (self.covered[chosen], self.trigger.apply_to_cover),
        ):
            if marked.any():
                samples = _with(samples, marked, mark, chosen)
        return samples


@dataclass(frozen=True, eq=False)
class ChallengeSet(_Marked):
    """A test set in which every sample carries the trigger and keeps its true label.

    Args:
        base: The clean test set; it is left as it is.
        trigger: The prepared trigger.
        rule: Gives the targets.
        include_target: Keep samples whose true class is their target. They cannot show an
            attack's success, so they are left out unless a published count needs them.

    Raises:
        ConfigError: If the trigger or rule does not fit the set.
        DataError: If no sample is left.
    """

    base: SampleSet
    trigger: Trigger
    rule: LabelRule
    include_target: bool = False

    def __post_init__(self) -> None:
        check_modality(self.trigger, self.base)
        self.trigger.mask(self.base.shape)
        if not len(self.indices):
            raise DataError(
                f"no sample of '{self.base.name}' can be attacked: of {len(self.base)}, each has "
                "its target as its true class"
            )

    @cached_property
    def _all_targets(self) -> Labels:
        return self.rule.targets(self.base.labels, len(self.base.classes))

    @cached_property
    def indices(self) -> Labels:
        """Where each sample stands in the base set, int64 [M]."""
        if self.include_target:
            return _locked(np.arange(len(self.base)))
        return _locked(np.flatnonzero(self._all_targets != self.base.labels))

    @cached_property
    def true_labels(self) -> Labels:
        """True class of each sample, int64 [M]."""
        return _locked(self.base.labels[self.indices])

    @property
    def labels(self) -> Labels:
        """The true labels."""
        return self.true_labels

    @cached_property
    def targets(self) -> Labels:
        """Label the attacker wants for each sample, int64 [M]."""
        return _locked(self._all_targets[self.indices])

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: NDArray[np.integer]) -> Any:
        """Return samples as the clean set does, with the trigger.

        Raises:
            DataError: If the indices are not whole numbers in 0 to M - 1.
        """
        chosen = checked_indices(self.name, indices, len(self))
        return self.trigger.apply(self.base.batch(self.indices[chosen]))


def _with(samples: Any, marked: Mask, mark: Callable[..., Any], indices: Indices) -> Any:
    """Return the samples, those marked with a trigger; an array is changed in place."""
    if isinstance(samples, Events):
        return samples.replaced(marked, mark(samples.take(np.flatnonzero(marked)), indices[marked]))
    samples[marked] = mark(samples[marked], indices[marked])
    return samples


def _locked(values: _Array) -> _Array:
    values.setflags(write=False)
    return values
