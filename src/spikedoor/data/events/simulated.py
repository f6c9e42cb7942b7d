"""Recordings of any images, simulated: always labelled so, in their names and as a field."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, WithJsonSchema, model_validator

from spikedoor.data.base import Dataset, ImageSet, Modality
from spikedoor.data.digits import Digits
from spikedoor.data.download import Remote
from spikedoor.data.events.cache import Writer, kept
from spikedoor.data.events.camera import Camera
from spikedoor.data.events.labelled import EventSet
from spikedoor.data.events.recordings import Events
from spikedoor.data.files import cache_root, sha256
from spikedoor.data.mnist import Mnist
from spikedoor.data.source import DATASETS, DataSource
from spikedoor.errors import ConfigError
from spikedoor.progress import bar

__all__ = ["DigitsDvs", "MnistDvs", "Simulated"]

_VERSION = 1
"""Version of the camera's model: another one makes every cache and checksum anew."""
_LARGE = 10_000
"""Recordings from which on they are kept in the cache, not held in memory."""
_BATCH = 256
_SOURCE = "Orchard et al. 2015, Converting static image datasets to spiking datasets"
_LINK = "https://doi.org/10.3389/fnins.2015.00437"
_AS_NMNIST: dict[str, Any] = {"inverted": True, "offset": (0.0, 1.0)}
"""What makes the camera's recordings of MNIST agree with the real ones of N-MNIST."""
_AT_HALF: dict[str, Any] = {
    "inverted": True,
    "sensor": (16, 16),
    "image_size": 12.0,
    "amplitude": 2.5,
}
"""The same on a sensor of half the size, fit for images of 8 x 8 pixels without a margin."""
_NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class _Simulated(DataSource):
    """Load images, and show those that are kept to a camera.

    Folds and limits are applied to the images, so that no others are simulated. An image's noise
    hangs on the camera's seed and on what it shows, so that its recording is the same in any
    fold and under any limit. Large sets are kept in ``$SPIKEDOOR_CACHE`` and mapped into memory.
    The checksums are those of the images, and that of the camera's fields with its version.
    """

    modality: ClassVar[Modality] = "event"

    camera: Camera

    @abstractmethod
    def _images(self) -> DataSource:
        """Return the source of the images."""

    def _title(self, images: Dataset) -> str:
        return self.name

    def _load(self, root: Path) -> Dataset:
        found = self._images().model_copy(update={"root": root, "download": self.download}).load()
        if not isinstance(found.train, ImageSet):
            raise ConfigError(f"images: expected a source of images, got '{found.name}'")
        return found

    def _made(self, dataset: Dataset) -> Dataset:
        """Return recordings of the images."""
        name = f"{self._title(dataset)} (simulated)"
        parts = {"train": dataset.train, "test": dataset.test}
        camera = {"version": _VERSION, **self.camera.to_dict()}
        checksums = {**dataset.checksums, "camera": sha256(json.dumps(camera).encode())}
        sets = [part for part in parts.values() if isinstance(part, ImageSet)]
        labels = np.concatenate([part.labels for part in sets])
        if len(labels) > _LARGE:
            events = self._kept(name, sets, checksums["camera"])
        else:
            events = Events.join([recorded for _, recorded in self._record(name, sets)])
        ends = np.cumsum([0, *(len(part) for part in sets)])
        train, test = (
            EventSet(events, labels[rows], dataset.train.classes, f"{name}/{part}", True, rows)
            for part, rows in zip(parts, map(np.arange, ends, ends[1:]), strict=False)
        )
        return Dataset(name, train, test, checksums)

    def _record(
        self, name: str, sets: list[ImageSet]
    ) -> Iterator[tuple[NDArray[np.int64], Events]]:
        """Yield the labels and recordings of the images, some at a time."""
        with bar(f"{name}: recording", sum(map(len, sets))) as advance:
            for part in sets:
                for start in range(0, len(part), _BATCH):
                    rows = slice(start, start + _BATCH)
                    shown = part.images[rows]
                    yield part.labels[rows], self.camera.record(shown, _numbers(shown))
                    advance(len(shown))

    def _kept(self, name: str, sets: list[ImageSet], camera: str) -> Events:
        total = hashlib.sha256(camera.encode())
        for part in sets:
            total.update(json.dumps(part.images.shape).encode())
            total.update(np.ascontiguousarray(part.images).data)
            total.update(part.labels.tobytes())

        def fill(writer: Writer) -> dict[str, Any]:
            for labels, events in self._record(name, sets):
                for i, label in enumerate(labels):
                    writer.add(int(label), events.take(np.array([i])))
            return {}

        mark = total.hexdigest()
        folder = cache_root() / "events" / f"{self.name}-{mark[:16]}"
        return kept(folder, mark, self.camera.sensor, fill).events


def _numbers(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each image that hangs on what it shows."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), np.uint64)


def _over(defaults: dict[str, Any]) -> Any:
    """Lay a table of some of the camera's fields over others than the camera's own defaults."""
    return BeforeValidator(
        lambda given: {**defaults, **given} if isinstance(given, dict) else given
    )


@final
@DATASETS.register("digits-dvs", source=_SOURCE, link=_LINK)
class DigitsDvs(_Simulated):
    """Simulated recordings of scikit-learn's digits, 1,437 + 360, 16 x 16; nothing to fetch."""

    camera: Annotated[Camera, _over(_AT_HALF)] = Camera(**_AT_HALF)
    """The camera; fields left out are those of ``mnist-dvs`` on a sensor of half the size."""

    def _images(self) -> DataSource:
        return Digits()


@final
@DATASETS.register("mnist-dvs", source=_SOURCE, link=_LINK)
class MnistDvs(_Simulated):
    """Simulated recordings of MNIST, 60,000 + 10,000, 34 x 34, from ``MNIST/raw``."""

    remotes: ClassVar[tuple[Remote, ...]] = Mnist.remotes

    camera: Annotated[Camera, _over(_AS_NMNIST)] = Camera(**_AS_NMNIST)
    """The camera; fields left out are such that the recordings resemble those of N-MNIST."""

    def _images(self) -> DataSource:
        return Mnist()


@final
@DATASETS.register("simulated", source=_SOURCE, link=_LINK)
class Simulated(_Simulated):
    """Simulated recordings of any source of images."""

    # The schema is told here, since that of all sources holds this one's.
    images: Annotated[DataSource, WithJsonSchema(_NAMED)] = Digits()
    """Where the images come from; folds, limits and places are fields of the recordings."""
    camera: Camera = Camera()
    """The camera."""

    @model_validator(mode="after")
    def _images_alone(self) -> Self:
        for key, field in DataSource.model_fields.items():
            if getattr(self.images, key) != field.default:
                raise ConfigError(f"images.{key}: set '{key}' of the recordings in its place")
        return self

    def _images(self) -> DataSource:
        return self.images

    def _title(self, images: Dataset) -> str:
        return images.name
