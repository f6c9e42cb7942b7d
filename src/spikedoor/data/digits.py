"""The digits that come with scikit-learn: real images without a download."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np

from spikedoor.data.base import Dataset, ImageSet
from spikedoor.data.files import sha256
from spikedoor.data.source import DATASETS, DataSource
from spikedoor.data.strata import split
from spikedoor.rng import generator

__all__ = ["Digits"]

_TEST = 360


@final
@DATASETS.register(
    "digits",
    source="Alpaydin and Kaynak 1998, Optical recognition of handwritten digits",
    link="https://doi.org/10.24432/C50P49",
)
class Digits(DataSource):
    """Handwritten digits of 8 x 8 pixels, 1,437 to train on and 360 to test on; nothing to fetch.

    The split is the same for everyone: classes in proportion, drawn with a fixed seed. A grey
    value ``v`` in ``0..16`` becomes ``round(255 v / 16)``. The checksum is that of the values as
    scikit-learn gives them (images, then labels, as bytes), since it reads no file of ours.
    """

    def _load(self, root: Path) -> Dataset:
        from sklearn.datasets import load_digits

        values, labels = load_digits(return_X_y=True)
        grey = values.astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = np.asarray(labels, dtype=np.int64)
        images = np.rint(grey * (255 / 16)).astype(np.uint8)
        whole = ImageSet(images, labels, tuple("0123456789"), self.name)
        train, test = split(labels, _TEST, generator(0, "digits split"))
        checksums = {"digits": sha256(grey.tobytes() + labels.astype(np.uint8).tobytes())}
        return Dataset(self.name, whole.subset(train), whole.subset(test), checksums)
