"""What a trigger is: a mark that an attacker puts into an input."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr

from spikedoor.component import Component
from spikedoor.data.base import Modality, modality_of
from spikedoor.errors import ConfigError
from spikedoor.registry import Family

if TYPE_CHECKING:
    from spikedoor.attack.labels import Labels
    from spikedoor.attack.model import Model
    from spikedoor.data.base import SampleSet
    from spikedoor.data.source import DataSource

__all__ = [
    "TRIGGERS",
    "Images",
    "Indices",
    "Mask",
    "Modality",
    "RandomTrigger",
    "Shape",
    "Trigger",
    "check_images",
    "check_modality",
]

TRIGGERS = Family("trigger", home="spikedoor.attack.triggers")

Images = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Indices = NDArray[np.integer]
Shape = tuple[int, int, int]


class Trigger(Component):
    """Mark whole batches of samples.

    A trigger is a fixed function: equal input gives equal output. `apply` is what a test meets;
    training meets the same, unless a trigger says otherwise in `apply_in_training`. One that has
    random or learned parts gets them from `prepare` and refuses to `apply` before.

    What a batch is, follows from the modality: images, uint8 [B, C, H, W]; recordings, `Events`;
    or frames of counts, uint16 [B, T, 2, H, W].
    """

    family: ClassVar[Family] = TRIGGERS
    threat: ClassVar[Literal["data", "training"]] = "data"
    """What the attacker must control: only the training data, or the training itself."""
    modality: ClassVar[Modality] = "image"
    """What it marks."""
    needs_model: ClassVar[bool] = False
    """Whether poisoned samples are first changed against a trained model; see `doctored`."""

    # What is drawn or learned is no field: a prepared trigger compares as the plain one.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, key) for key in type(self).model_fields)))

    @abstractmethod
    def apply(self, samples: Any, /) -> Any:
        """Return marked copies; the input stays as it was.

        Raises:
            ConfigError: If the samples are of another modality, or the trigger does not fit.
        """

    def apply_in_training(self, samples: Any, indices: Indices, /) -> Any:
        """Return copies marked as poison in the training set; by default as in a test.

        Args:
            samples: A batch.
            indices: [B], where each stands in the training set. All that differs between samples
                must follow from these, so that a sample looks the same in any batch.
        """
        del indices
        return self.apply(samples)

    def apply_to_cover(self, samples: Any, indices: Indices, /) -> Any:
        """Return copies marked as cover samples, which keep their label; by default as poison."""
        return self.apply_in_training(samples, indices)

    def doctored(self, samples: Any, labels: Labels, model: Model, /) -> Any:
        """Return what stands in place of the poisoned samples, before they are marked.

        Only triggers that ``needs_model`` change anything.

        Args:
            samples: The clean samples that are to be poisoned.
            labels: Their true labels.
            model: Trained on the clean data.
        """
        del labels, model
        return samples

    @abstractmethod
    def mask(self, shape: Shape) -> Mask:
        """Return which places `apply` may change, as bool [C, H, W].

        Args:
            shape: Shape of an image; of recordings and frames, [2, H, W], where a place stands
                for the count of a pixel's OFF or ON events.

        Raises:
            ConfigError: If the trigger does not fit into such samples.
        """

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return a trigger whose random or learned parts are drawn; one that has none, itself.

        What is drawn is stored, so that a test meets the very trigger of the training. A prepared
        trigger returns itself, whatever the arguments.
        """
        del train, seed
        return self


class RandomTrigger(Trigger):
    """A trigger with parts drawn from a seed.

    `prepare` keeps nothing but the seed, and every part follows from it. The seed is no field:
    a prepared trigger has the configuration of the plain one, and compares by it.
    """

    _seed: int | None = PrivateAttr(default=None)

    @property
    def seed(self) -> int:
        """Seed of the drawn parts.

        Raises:
            ConfigError: If the trigger is not prepared.
        """
        if self._seed is None:
            raise ConfigError(
                f"trigger '{self.name}' is not prepared: its random parts are drawn by "
                "prepare(train, seed), of the trigger or of the attack"
            )
        return self._seed

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return a trigger that draws from this seed; a prepared one, itself."""
        if self._seed is not None:
            return self
        prepared = self.model_copy()
        prepared._seed = seed
        return prepared


def check_modality(trigger: Trigger, samples: SampleSet | DataSource) -> None:
    """Refuse a trigger that is made for other samples than these.

    Raises:
        ConfigError: Naming both, and the triggers that fit.
    """
    found = modality_of(samples)
    if trigger.modality != found:
        members = (cast("type[Trigger]", TRIGGERS[name]) for name in TRIGGERS.names())
        fitting = [member.name for member in members if member.modality == found]
        raise ConfigError(
            f"trigger '{trigger.name}' marks {trigger.modality}s, but '{samples.name}' holds "
            f"{found}s; for these: {', '.join(fitting)}"
        )


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
