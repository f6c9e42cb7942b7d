"""Which label the attacker wants for a sample of each class."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family

__all__ = ["LABELS", "AllToOne", "LabelRule", "Labels"]

LABELS = Family("label-rule", home="spikedoor.attack.labels")

Labels = NDArray[np.int64]


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
        if self.label >= classes:
            raise ConfigError(
                f"all-to-one: label {self.label} is not one of the {classes} classes "
                f"0 to {classes - 1}"
            )
        return np.full(len(labels), self.label, dtype=np.int64)
