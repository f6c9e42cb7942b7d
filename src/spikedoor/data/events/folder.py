"""A folder of recordings, one subfolder a class."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self, final

from pydantic import Field, model_validator

from spikedoor.data.events.formats import SUFFIXES
from spikedoor.data.events.labelled import EventSet
from spikedoor.data.events.source import EventSource, Part, by_class
from spikedoor.data.files import data_root
from spikedoor.data.source import DATASETS, Inventory
from spikedoor.data.strata import split
from spikedoor.errors import ConfigError, DataError, MissingDataError
from spikedoor.rng import generator

__all__ = ["EventFolder"]


@final
@DATASETS.register("event-folder")
class EventFolder(EventSource):
    """Recordings of your own: ``train/<class>/*.bin`` and ``test/...``, or ``<class>/*.bin``.

    Files end in ``.bin`` (as N-MNIST), ``.aedat`` (2.0 and 3.1), ``.npz``, ``.npy``, ``.h5`` or
    ``.hdf5``; others are passed over. The last four hold x, y, t in microseconds and p, as arrays
    or as the fields of one (in HDF5 at ``events``, ``CD/events`` or ``data/events``); ts, time and
    timestamp, pol and polarity will do as well. Classes are the names of the folders, sorted;
    files are taken in order of their names. In the flat layout the test set is drawn at random,
    every class in proportion.
    """

    places: ClassVar[tuple[str, ...]] = (*EventSource.places, "path")

    path: Path
    """The folder; a relative one is taken from the working folder."""
    sensor: tuple[int, int]
    """Height and width of the sensor in pixels."""
    test_share: float = Field(0.2, gt=0, lt=1)
    """Share of the recordings to hold out as test set, in the flat layout."""
    seed: int = Field(0, ge=0)
    """Seed of that split."""

    @model_validator(mode="after")
    def _sides_and_nothing_to_fetch(self) -> Self:
        if self.download:
            raise ConfigError("download: an event folder is your own, there is nothing to fetch")
        if not all(0 < side <= 4096 for side in self.sensor):
            raise ConfigError(f"sensor: expected sides in 1..4096, got {list(self.sensor)}")
        return self

    def _sensor(self) -> tuple[int, int]:
        return self.sensor

    def _base(self, root: Path) -> Path:
        return self.path.expanduser()

    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        base = self._base(root)
        if not base.is_dir():
            raise MissingDataError(
                f"{self.name}: expected a folder at {base}, point path=... at it"
            )
        names = ("train", "test") if (base / "train").is_dir() else ("all",)
        classes: tuple[str, ...] = ()
        parts = []
        for name in names:
            found = by_class(base if name == "all" else base / name, SUFFIXES)
            classes = classes or tuple(found)
            for other in sorted(set(found) - set(classes))[:1]:
                raise DataError(f"{base / name}: expected the classes of train/, found {other!r}")
            parts.append(Part(name, [file for files in found.values() for file in files]))
        return classes, parts

    def inventory(self) -> Inventory:
        """Return the recordings of ``train/``, or all of a flat folder, with their paths below it.

        Raises:
            ConfigError: If a fold or a limit is set, which would leave out recordings.
            DataError: As `load` does.
        """
        self._check_whole()
        (part, *_), (samples, *_), _ = self._read(data_root(self.root))
        above = "train/" if part.name == "train" else ""
        return Inventory.of(samples, (above + file.name for file in part.files))

    def _divide(self, parts: list[EventSet]) -> tuple[EventSet, EventSet]:
        if len(parts) == 2:
            return super()._divide(parts)
        (whole,) = parts
        held_out = round(self.test_share * len(whole))
        if not 0 < held_out < len(whole):
            raise DataError(
                f"{whole.name}: expected enough recordings to hold out {self.test_share:g} of "
                f"them, found {len(whole)}"
            )
        rest, out = split(whole.labels, held_out, generator(self.seed, "event-folder split"))
        return whole.subset(rest), whole.subset(out)
