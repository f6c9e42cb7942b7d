"""What a data source is: a component that finds or fetches its files and returns a data set."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from spikedoor.component import Component
from spikedoor.data.base import Dataset, ImageSet
from spikedoor.data.download import Remote, fetch
from spikedoor.data.files import data_root, locate
from spikedoor.data.strata import first_come
from spikedoor.errors import MissingDataError
from spikedoor.registry import Family

__all__ = ["DATASETS", "DataSource"]

DATASETS = Family("dataset", home="spikedoor.data")


class DataSource(Component):
    """Load a data set from files below a root folder."""

    family: ClassVar[Family] = DATASETS
    remotes: ClassVar[tuple[Remote, ...]] = ()
    places: ClassVar[tuple[str, ...]] = ("root", "download")
    """Fields that tell where the files are, not what they hold: no result depends on them."""

    root: Path | None = None
    """Data folder; left out, ``$SPIKEDOOR_DATA``, else ``~/.cache/spikedoor/data``."""
    download: bool = False
    """Fetch files that are missing, where the source has a published address."""
    train_limit: int | None = Field(None, gt=0)
    """Most training samples to keep, every class in proportion."""
    test_limit: int | None = Field(None, gt=0)
    """Most test samples to keep, every class in proportion."""

    @abstractmethod
    def _load(self, root: Path) -> Dataset:
        """Read the whole data set."""

    def load(self) -> Dataset:
        """Read the data set, after fetching what is missing when ``download`` is set.

        A limit keeps the class proportions: each class gets its quota by largest remainders, and
        fills it with its first samples in file order. Nothing is random.

        Raises:
            MissingDataError: If a file is not there and cannot be fetched.
            DataError: If a file is truncated, wrong or malicious.
            OutputError: If a fetched file cannot be written.
        """
        root = data_root(self.root)
        if self.download:
            for remote in self.remotes:
                if any(locate(root, file) is None for file in remote.provides):
                    fetch(remote, root)
        dataset = self._load(root)
        return Dataset(
            dataset.name,
            _limited(dataset.train, self.train_limit),
            _limited(dataset.test, self.test_limit),
            dataset.checksums,
        )

    def _file(self, root: Path, file: str) -> Path:
        """Return the path of a file that must be there."""
        path = locate(root, file)
        if path is None:
            fetching = ", or download=true to fetch it" if self.remotes else ""
            raise MissingDataError(
                f"{self.name}: expected {root / file}, found no such file below the data root "
                f"{root}; point SPIKEDOOR_DATA or root=... at the data{fetching}"
            )
        return path


def _limited(images: ImageSet, limit: int | None) -> ImageSet:
    if limit is None or limit >= len(images):
        return images
    return images.subset(first_come(images.labels, limit))
