"""MNIST and Fashion-MNIST: 70,000 grey images of 28 x 28 pixels in idx files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

import numpy as np

from spikedoor.data.base import Dataset, ImageSet
from spikedoor.data.download import Remote
from spikedoor.data.files import read_limited, sha256
from spikedoor.data.idx import MAX_BYTES, parse_idx
from spikedoor.data.source import DATASETS, DataSource
from spikedoor.errors import DataError

__all__ = ["FashionMnist", "Mnist"]

_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def _remotes(
    folder: str, files: tuple[tuple[int, str], ...], mirrors: tuple[str, ...]
) -> tuple[Remote, ...]:
    return tuple(
        Remote(f"{folder}/{file}", size, md5, tuple(mirror + file for mirror in mirrors))
        for file, (size, md5) in zip(_FILES, files, strict=True)
    )


def _dataset(name: str, files: tuple[Path, ...], classes: tuple[str, ...]) -> Dataset:
    checksums: dict[str, str] = {}

    def read(path: Path, rank: int, what: str) -> np.ndarray:
        data = read_limited(path, MAX_BYTES)
        checksums[path.name] = sha256(data)
        return parse_idx(data, rank, path.name, what)

    def images(part: str, images_file: Path, labels_file: Path) -> ImageSet:
        pixels = read(images_file, 3, "pixels")[:, None]
        labels = read(labels_file, 1, "labels").astype(np.int64)
        if len(labels) != len(pixels):
            raise DataError(
                f"{labels_file.name}: expected {len(pixels)} labels as {images_file.name} "
                f"has images, found {len(labels)}"
            )
        if labels.max() >= len(classes):
            raise DataError(
                f"{labels_file.name}: expected labels in 0..{len(classes) - 1}, "
                f"found {labels.max()}"
            )
        return ImageSet(pixels, labels, classes, f"{name}/{part}")

    train, test = images("train", *files[:2]), images("test", *files[2:])
    if train.shape != test.shape:
        raise DataError(
            f"{files[2].name}: expected images of {train.shape} as in {files[0].name}, "
            f"found {test.shape}"
        )
    return Dataset(name, train, test, checksums)


@final
@DATASETS.register(
    "mnist",
    source="LeCun et al. 1998, Gradient-based learning applied to document recognition",
    link="https://doi.org/10.1109/5.726791",
)
class Mnist(DataSource):
    """Handwritten digits, 60,000 to train on and 10,000 to test on, from ``MNIST/raw``."""

    remotes: ClassVar[tuple[Remote, ...]] = _remotes(
        "MNIST/raw",
        (
            (9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            (28881, "d53e105ee54ea40749a09fcbcd1e9432"),
            (1648877, "9fb629c4189551a2d022fa330f9573f3"),
            (4542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    )

    def _load(self, root: Path) -> Dataset:
        files = tuple(self._file(root, f"MNIST/raw/{file}") for file in _FILES)
        return _dataset(self.name, files, _DIGITS)


@final
@DATASETS.register(
    "fashion-mnist",
    source="Xiao, Rasul, Vollgraf 2017, Fashion-MNIST",
    link="https://arxiv.org/abs/1708.07747",
)
class FashionMnist(DataSource):
    """Articles of clothing in the format of MNIST, from ``FashionMNIST/raw``."""

    remotes: ClassVar[tuple[Remote, ...]] = _remotes(
        "FashionMNIST/raw",
        (
            (26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            (29515, "25c81989df183df01b3e8a0aad5dffbe"),
            (4422102, "bef4ecab320f06d8554ea6380940ec79"),
            (5148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        (
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    )

    def _load(self, root: Path) -> Dataset:
        files = tuple(self._file(root, f"FashionMNIST/raw/{file}") for file in _FILES)
        return _dataset(self.name, files, _CLOTHES)
