"""What a data source is: a component that finds or fetches its files and returns a data set."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, cast

from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.data.base import Dataset, ImageSet, Modality
from spikedoor.data.download import Remote, fetch
from spikedoor.data.events.framing import FrameSet
from spikedoor.data.events.labelled import EventSet
from spikedoor.data.files import data_root, locate
from spikedoor.data.strata import first_come, fold
from spikedoor.errors import ConfigError, DataError, MissingDataError
from spikedoor.registry import Family

__all__ = ["DATASETS", "DataSource", "Inventory"]

DATASETS = Family("dataset", home="spikedoor.data")

Samples: TypeAlias = ImageSet | EventSet | FrameSet


class Inventory(NamedTuple):
    """Samples to train on, and what each is called: its file, or its index in the set."""

    samples: Samples
    names: tuple[str, ...]

    @classmethod
    def of(cls, samples: Samples, names: Iterable[str]) -> Self:
        """Return it with file names as text that can be written: other bytes in hexadecimal."""
        plain = (os.fsencode(name).decode("utf-8", "backslashreplace") for name in names)
        return cls(samples, tuple(plain))


class DataSource(Component):
    """Load a data set from files below a root folder."""

    family: ClassVar[Family] = DATASETS
    remotes: ClassVar[tuple[Remote, ...]] = ()
    needs: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Files and folders below the root beside those of the remotes; of each group, any one."""
    modality: ClassVar[Modality] = "image"
    """What its samples are."""
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
    fold: int | None = Field(None, ge=0)
    """Fold of a cross-validation to test on, from 0 on; left out, the source's own test set."""
    folds: int = Field(5, ge=2)
    """Number of folds that the pooled training and test set is divided into, given a `fold`."""

    @model_validator(mode="after")
    def _fold_is_one_of_the_folds(self) -> Self:
        if self.fold is not None and self.fold >= self.folds:
            raise ConfigError(f"fold: expected 0..{self.folds - 1}, got {self.fold}")
        return self

    @classmethod
    def lacks(cls, root: Path) -> str | None:
        """Return the first file or folder that is not there, None where nothing is missing.

        Nothing is read. A source that needs nothing below the root is built in, or takes a path.
        """
        for file in (file for remote in cls.remotes for file in remote.provides):
            if locate(root, file) is None:
                return file
        for places in cls.needs:
            if not any((root / place).exists() for place in places):
                return places[0]
        return None

    @abstractmethod
    def _load(self, root: Path) -> Dataset:
        """Read the whole data set."""

    def load(self) -> Dataset:
        """Read the data set, after fetching what is missing when ``download`` is set.

        A limit keeps the class proportions: each class gets its quota by largest remainders, and
        fills it with its first samples in file order. Folds are dealt to each class in turn, see
        `strata.fold`, before any limit. Nothing is random.

        Raises:
            MissingDataError: If a file is not there and cannot be fetched.
            DataError: If a file is truncated, wrong or malicious, or there are fewer samples than
                folds.
            OutputError: If a fetched or cached file cannot be written.
        """
        root = data_root(self.root)
        if self.download:
            for remote in self.remotes:
                if any(locate(root, file) is None for file in remote.provides):
                    fetch(remote, root)
        dataset = self._load(root)
        train, test = dataset.train, dataset.test
        if self.fold is not None:
            train, test = _folded(train, test, self.fold, self.folds)
        kept = Dataset(
            dataset.name,
            _limited(train, self.train_limit),
            _limited(test, self.test_limit),
            dataset.checksums,
        )
        return self._made(kept)

    def inventory(self) -> Inventory:
        """Return the training samples, each with its name; here the index.

        A folder of your own names files, and holds nothing out of a flat one.

        Raises:
            DataError: As `load` does.
        """
        samples = self.load().train
        return Inventory.of(samples, map(str, range(len(samples))))

    def _check_whole(self) -> None:
        """Refuse folds and limits, where all samples are wanted."""
        if self.fold is not None or self.train_limit is not None:
            raise ConfigError(
                f"{self.name}: expected neither fold nor train_limit where every file is named"
            )

    def _made(self, dataset: Dataset) -> Dataset:
        """Return what is made of the samples that folds and limits leave; here nothing else."""
        return dataset

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


def _limited(samples: Samples, limit: int | None) -> Samples:
    if limit is None or limit >= len(samples):
        return samples
    return samples.subset(first_come(samples.labels, limit))


def _folded(train: Samples, test: Samples, number: int, folds: int) -> tuple[Samples, Samples]:
    name = f"{train.name.removesuffix('/train')}/fold {number} of {folds}"
    whole = cast("Samples", cast("Any", train).pooled(test, name))
    if len(whole) < folds:
        raise DataError(f"{name}: expected at least {folds} samples, found {len(whole)}")
    rest, held_out = fold(whole.labels, number, folds)
    return whole.subset(rest), whole.subset(held_out)
