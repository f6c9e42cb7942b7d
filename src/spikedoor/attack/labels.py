"""Which label the attacker wants for a sample of each class."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family

__all__ = ["LABELS", "AllToAll", "AllToOne", "LabelRule", "Labels", "SourceSpecific"]

LABELS = Family("label-rule", home="spikedoor.attack.labels")

Labels = NDArray[np.int64]
_Label = Annotated[int, Field(ge=0)]


class LabelRule(Component):
    """Map true labels to the labels an attacker wants."""

    family: ClassVar[Family] = LABELS

    @abstractmethod
    def targets(self, labels: Labels, classes: int) -> Labels:
        """Return the wanted label of each sample.

        A sample whose target is its own label is not attacked: poisoning leaves its label, and it
        counts neither as a success nor as a failure. So a rule for some source classes only
        returns the other labels as they are.

        Shapes:
            labels and result: int64 [N], in 0 to classes - 1.

        Raises:
            ConfigError: If the rule does not fit the number of classes.
        """

    def may_cover(self, labels: Labels, classes: int) -> NDArray[np.bool_]:
        """Return which samples may carry the trigger and keep their label, bool [N].

        By default those that the attack could turn.
        """
        return self.targets(labels, classes) != labels


@final
@LABELS.register(
    "all-to-one",
    source="Gu, Dolan-Gavitt, Garg 2017, BadNets",
    link="https://arxiv.org/abs/1708.06733",
)
class AllToOne(LabelRule):
    """Want one label for every sample."""

    label: int = Field(0, ge=0)
    """The wanted label."""

    def targets(self, labels: Labels, classes: int) -> Labels:
        """Return the one label for each sample."""
        _check(self, (self.label,), classes)
        return np.full(len(labels), self.label, dtype=np.int64)


@final
@LABELS.register(
    "all-to-all",
    source="Gu, Dolan-Gavitt, Garg 2017, BadNets",
    link="https://arxiv.org/abs/1708.06733",
)
class AllToAll(LabelRule):
    """Want the next class: label y becomes (y + 1) mod K.

    No sample has its own label as its target, so clean-label poisoning finds no candidate.
    """

    def targets(self, labels: Labels, classes: int) -> Labels:
        """Return the class after each sample's own."""
        return (np.asarray(labels, dtype=np.int64) + 1) % classes


@final
@LABELS.register(
    "source-specific",
    source="Tang, Wang, Tang, Zhang 2021, Demon in the Variant (TaCT)",
    link="https://arxiv.org/abs/1908.00686",
)
class SourceSpecific(LabelRule):
    """Want one label for samples of some source classes only.

    Samples of other classes are not attacked and do not count towards attack success. With
    ``candidates = "non-target"`` the poison is drawn from the source classes alone. Cover samples
    come from the classes that are neither source nor target: they teach the network that the
    trigger alone is not enough.
    """

    sources: tuple[_Label, ...] = Field((1,), min_length=1)
    """Classes that the trigger turns."""
    label: _Label = 0
    """The wanted label."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.label in self.sources:
            raise ConfigError(f"label {self.label} is a source as well; a source must be another")
        return self

    def targets(self, labels: Labels, classes: int) -> Labels:
        """Return the one label for samples of the sources, and their own for all others."""
        _check(self, (*self.sources, self.label), classes)
        return np.where(np.isin(labels, self.sources), self.label, labels).astype(np.int64)

    def may_cover(self, labels: Labels, classes: int) -> NDArray[np.bool_]:
        """Return the samples of classes that are neither source nor target."""
        _check(self, (*self.sources, self.label), classes)
        return ~np.isin(labels, (*self.sources, self.label))


def _check(rule: LabelRule, named: tuple[int, ...], classes: int) -> None:
    for label in named:
        if label >= classes:
            raise ConfigError(
                f"{rule.name}: label {label} is not one of the {classes} classes 0 to {classes - 1}"
            )
