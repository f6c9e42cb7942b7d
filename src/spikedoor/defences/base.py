"""What a defence is: given what a defender has, it finds a backdoor or removes one."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from spikedoor.component import Component
from spikedoor.data.base import SampleSet
from spikedoor.defences.defender import Defender
from spikedoor.metrics.findings import Detection, Task
from spikedoor.registry import Family
from spikedoor.victim import Stage

__all__ = [
    "DEFENCES",
    "DataDetector",
    "Defence",
    "Detection",
    "Eliminator",
    "InputDetector",
    "ModelDetector",
    "Task",
]

DEFENCES = Family("defence", home="spikedoor.defences")


class Defence(Component):
    """A method to find or remove a backdoor.

    It gets what a defender has, and nothing else: never a triggered test sample, never a label of
    the test set. The docstring of a member answers three questions under ``Needs:``, ``Looks at:``
    and ``Fails:``.
    """

    family: ClassVar[Family] = DEFENCES
    task: ClassVar[Task]
    """What it works on: training data, inputs at run time, or a whole model; or it eliminates."""
    needs_training_set: ClassVar[bool] = False
    """Whether the defender must have the training set of the victim."""


class DataDetector(Defence):
    """Finds poisoned samples in the training set of a victim."""

    task = "data"
    needs_training_set = True

    @abstractmethod
    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return a score for each sample of ``defender.train``.

        The stage and the defender's sets stay as they are.

        Raises:
            ConfigError: If the defender has no training set, or the stage lacks what is looked at.
        """


class InputDetector(Defence):
    """Finds triggered inputs while a model is in use."""

    task = "input"

    @abstractmethod
    def detect(self, stage: Stage, defender: Defender, inputs: SampleSet) -> Detection:
        """Return a score for each input; its threshold follows from the defender's clean samples.

        Args:
            stage: The stage that is in use.
            defender: Has clean samples to compare with.
            inputs: What is put in. Labels mean nothing, they are not known when a model is used.
        """


class ModelDetector(Defence):
    """Tells whether a model has a backdoor, and of which class."""

    task = "model"

    @abstractmethod
    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return a score for each class as target of a backdoor.

        The model is found to have one if any class is above the threshold.
        """


class Eliminator(Defence):
    """Removes a backdoor from a model."""

    task = "eliminate"

    @abstractmethod
    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return a repaired stage of the same name; the stage given stays as it is."""
