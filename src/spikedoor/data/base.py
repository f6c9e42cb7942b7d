"""Labelled samples in memory: what every data source returns and every attack reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from spikedoor.data.events.framing import FrameSet
    from spikedoor.data.events.labelled import EventSet

__all__ = ["Dataset", "ImageSet", "Modality", "SampleSet", "checked_indices", "modality_of"]

Modality = Literal["image", "event", "frame"]
"""What a sample is: an image, a recording of events, or frames of counts."""


class SampleSet(Protocol):
    """Labelled samples that are drawn by batches of indices."""

    @property
    def name(self) -> str:
        """What the set is called in messages and records."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one sample: channels, height, width."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; label ``k`` means ``classes[k]``."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of every sample, ``int64 [N]``, read-only."""
        ...

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.integer]) -> Any:
        """Return samples that the caller may change or replace: pictures or recordings.

        Images come as ``uint8 [B, C, H, W]``, recordings as `Events`, frames of counts as
        ``uint16 [B, T, 2, H, W]``; triggers and encodings say which of them they take.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class ImageSet:
    """Hold labelled images.

    The arrays are kept as read-only views: nothing is copied, and the caller's own arrays stay
    as they are.

    Shapes:
        images: ``uint8 [N, C, H, W]``.
        labels: ``int64 [N]``, in ``0..len(classes) - 1``.

    Raises:
        ConfigError: If there are no class names, or one comes twice.
        DataError: If an array has the wrong type or shape, or a label has no class.
    """

    modality: ClassVar[Modality] = "image"

    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ConfigError(f"{self.name}: expected distinct class names, got {self.classes}")
        _check_array(self.name, "images", self.images, np.uint8, "N, C, H, W")
        _check_array(self.name, "labels", self.labels, np.int64, "N")
        if 0 in self.images.shape[1:]:
            raise DataError(f"{self.name}: expected images with pixels, found {self.images.shape}")
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name}: expected as many labels as images, "
                f"found {len(self.labels)} labels for {len(self.images)} images"
            )
        for label in self.labels[(self.labels < 0) | (self.labels >= len(self.classes))][:1]:
            raise DataError(
                f"{self.name}: expected labels in 0..{len(self.classes) - 1}, found {label}"
            )
        object.__setattr__(self, "images", _read_only(self.images))
        object.__setattr__(self, "labels", _read_only(self.labels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image: channels, height, width."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def clean(self) -> ImageSet:
        """The set before any poisoning: this one."""
        return self

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return images as ``uint8 [B, C, H, W]``, a fresh array that the caller may change.

        Raises:
            DataError: If the indices are not whole numbers in ``0..N - 1``.
        """
        return self.images[checked_indices(self.name, indices, len(self))]

    def subset(self, indices: NDArray[np.integer]) -> ImageSet:
        """Return the images at some indices, in their order, as a set of its own.

        Raises:
            DataError: If the indices are not whole numbers in ``0..N - 1``.
        """
        chosen = checked_indices(self.name, indices, len(self))
        return ImageSet(self.images[chosen], self.labels[chosen], self.classes, self.name)

    def pooled(self, other: ImageSet, name: str) -> ImageSet:
        """Return these images and those of another set with the same classes."""
        images = np.concatenate([self.images, other.images])
        labels = np.concatenate([self.labels, other.labels])
        return ImageSet(images, labels, self.classes, name)


@dataclass(frozen=True)
class Dataset:
    """Hold the training and test set of one data source.

    Args:
        name: Name of the source.
        train: Samples to train on.
        test: Samples to evaluate on, of the same kind, shape and classes.
        checksums: SHA-256 of each source file or group of files, for the record.
    """

    name: str
    train: ImageSet | EventSet | FrameSet
    test: ImageSet | EventSet | FrameSet
    checksums: dict[str, str]

    if not TYPE_CHECKING:  # which would believe that there is every attribute

        def __getattr__(self, name):
            raise AttributeError(
                f"a data set has no '{name}'; its samples are in `.train` and `.test`"
            )


def modality_of(samples: Any) -> Modality:
    """Return what the samples of a set or a source are; one that does not say has images."""
    return getattr(samples, "modality", "image")


def checked_indices(name: str, indices: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """Return the indices as an array, or say what is wrong with them.

    Raises:
        DataError: If they are not a row of whole numbers in ``0..count - 1``.
    """
    chosen = np.asarray(indices)
    if chosen.size == 0 and chosen.ndim == 1:
        return chosen.astype(np.int64)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise DataError(
            f"{name}: expected a row of whole numbers as indices, "
            f"found {chosen.dtype} {list(chosen.shape)}"
        )
    low, high = chosen.min(), chosen.max()
    if low < 0 or high >= count:
        raise DataError(
            f"{name}: expected indices in 0..{count - 1}, found {low if low < 0 else high}"
        )
    return chosen


def _check_array(name: str, what: str, array: np.ndarray, dtype: type, axes: str) -> None:
    rank = axes.count(",") + 1
    if isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == rank:
        return
    found = (
        f"{array.dtype} {list(array.shape)}"
        if isinstance(array, np.ndarray)
        else type(array).__name__
    )
    expected = f"{np.dtype(dtype)} [{axes}]"
    raise DataError(f"{name}: expected {what} as {expected}, found {found}")


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
