"""What a trigger is: a mark that an attacker puts into an input."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family

if TYPE_CHECKING:
    from spikedoor.data.base import SampleSet

__all__ = ["TRIGGERS", "Images", "Mask", "Shape", "Trigger", "check_images"]

TRIGGERS = Family("trigger", home="spikedoor.attack.triggers")

Images = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Shape = tuple[int, int, int]


class Trigger(Component):
    """Mark whole batches of images.

    A trigger is a fixed function: equal input gives equal output, in training and in test. One
    that has random or learned parts gets them from `prepare` and refuses to `apply` before.
    """

    family: ClassVar[Family] = TRIGGERS
    threat: ClassVar[Literal["data", "training"]] = "data"
    """What the attacker must control: only the training data, or the training itself."""
    modality: ClassVar[Literal["image", "event"]] = "image"

    @abstractmethod
    def apply(self, images: Images) -> Images:
        """Return marked copies; the input stays as it was.

        Shapes:
            images and result: uint8 [B, C, H, W].

        Raises:
            ConfigError: If the images have another type or rank, or the trigger does not fit.
        """

    @abstractmethod
    def mask(self, shape: Shape) -> Mask:
        """Return which pixels `apply` may change, as bool [C, H, W], for images [C, H, W].

        Raises:
            ConfigError: If the trigger does not fit into such images.
        """

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return a trigger whose random or learned parts are drawn; one that has none, itself.

        What is drawn is stored, so that a test meets the very trigger of the training. A prepared
        trigger returns itself, whatever the arguments.
        """
        del train, seed
        return self


def check_images(images: Images, name: str) -> None:
    """Refuse anything that is not a batch of raw images.

    Raises:
        ConfigError: Naming the trigger, what was expected and what came.
    """
    kind = type(images).__name__
    if isinstance(images, np.ndarray):
        if images.dtype == np.uint8 and images.ndim == 4:
            return
        kind = f"{images.dtype} {list(images.shape)}"
    raise ConfigError(f"trigger '{name}': expected images as uint8 [B, C, H, W], got {kind}")
