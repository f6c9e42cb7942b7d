"""A data source of your own: a CSV file with a label and the grey values of an image a line."""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from pydantic import Field

from spikedoor.data import DATASETS, Dataset, DataSource, ImageSet
from spikedoor.data.files import read_limited, sha256
from spikedoor.data.strata import split
from spikedoor.errors import DataError
from spikedoor.rng import generator

__all__ = ["MySource"]

_MOST = 1 << 28  # bytes of a file that are read into memory


@final
@DATASETS.register("my-source")
class MySource(DataSource):
    """Images from a CSV file: a label from 0 on and side x side grey values of 0..255 a line.

    The test set is drawn at random, every class in proportion.
    """

    places: ClassVar[tuple[str, ...]] = (*DataSource.places, "path")

    path: Path
    """The file."""
    test_share: float = Field(0.2, gt=0, lt=1)
    """Share of the images that is held out as test set."""
    seed: int = Field(0, ge=0)
    """Seed of that draw."""

    def _load(self, root: Path) -> Dataset:
        content = read_limited(self.path.expanduser(), _MOST)
        try:
            table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.int64, ndmin=2)
        except ValueError as error:
            raise DataError(f"{self.path}: expected whole numbers in CSV ({error})") from None
        labels, values = table[:, 0], table[:, 1:]
        side = round(values.shape[1] ** 0.5)
        if not side or side**2 != values.shape[1]:
            raise DataError(f"{self.path}: expected a square image, got {values.shape[1]} values")
        if values.min() < 0 or values.max() > 255 or labels.min() < 0:
            raise DataError(f"{self.path}: expected grey values of 0..255 and labels from 0 on")
        images = values.astype(np.uint8).reshape(-1, 1, side, side)
        classes = tuple(str(label) for label in range(labels.max() + 1))
        whole = ImageSet(images, labels, classes, self.name)
        held_out = round(self.test_share * len(whole))
        train, test = split(labels, held_out, generator(self.seed, "my-source split"))
        checksums = {self.path.name: sha256(content)}
        return Dataset(self.name, whole.subset(train), whole.subset(test), checksums)
