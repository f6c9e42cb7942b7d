"""What the sources of recordings share: files listed, parsed once, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from pydantic import Field

from spikedoor.data.base import Dataset, Modality
from spikedoor.data.events.cache import Writer, kept
from spikedoor.data.events.formats import parse
from spikedoor.data.events.labelled import EventSet
from spikedoor.data.events.members import Member, members
from spikedoor.data.events.recordings import Events
from spikedoor.data.files import cache_root, sha256
from spikedoor.data.source import DataSource
from spikedoor.data.strata import first_come
from spikedoor.errors import DataError, MissingDataError
from spikedoor.progress import bar

__all__ = ["EventSource", "Part", "UndividedSource", "by_class"]

_READERS = 1
"""Version of the readers: another one makes every cache anew."""


@final
@dataclass(frozen=True)
class Part:
    """List the files of one part of a data set, in the order of its recordings.

    Args:
        name: What the part is called: ``"train"``, ``"test"``, or ``"all"``.
        files: Files with recordings.
        beside: Files that say something about them, by name.
    """

    name: str
    files: list[Member]
    beside: dict[str, Member] = field(default_factory=dict)


class EventSource(DataSource):
    """Load recordings from files; parsed once, and kept in ``$SPIKEDOOR_CACHE``.

    The cache is renewed when a file is added, removed, or changes in size or time. The checksums
    are one a part, and the same for a folder and an archive of it: the SHA-256 of ``name, zero
    byte, SHA-256`` of each file, in order of their names.
    """

    modality: ClassVar[Modality] = "event"

    @abstractmethod
    def _sensor(self) -> tuple[int, int]:
        """Return height and width of the sensor."""

    @abstractmethod
    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        """Return the class names, and the parts: train and test, or one to be divided."""

    def _recordings(
        self, part: Part, file: Member, data: bytes, classes: tuple[str, ...]
    ) -> Iterable[tuple[int, Events]]:
        """Read the labelled recordings of a file; here one, of the class of its folder."""
        yield classes.index(file.parts[-2]), self._parse(file, data).recording(file.name)

    def _parse(self, file: Member, data: bytes) -> Any:
        return parse(data, self._sensor(), file.name)

    def _divide(self, parts: list[EventSet]) -> tuple[EventSet, EventSet]:
        """Return what to train and to test on; here the parts are these two, in this order."""
        train, test = parts
        return train, test

    def _load(self, root: Path) -> Dataset:
        _, sets, checksums = self._read(root)
        train, test = self._divide(sets)
        return Dataset(self.name, train, test, checksums)

    def _read(self, root: Path) -> tuple[list[Part], list[EventSet], dict[str, str]]:
        """Return the parts, the recordings of each, and its checksum."""
        classes, parts = self._parts(root)
        listed = [(p.name, [(m.name, m.size, m.changed) for m in _all(p)]) for p in parts]
        setting = [self.name, _READERS, self._sensor(), classes]
        mark = sha256(json.dumps([setting, listed]).encode())
        place = sha256(json.dumps([self._sensor(), str(self._base(root).resolve())]).encode())
        folder = cache_root() / "events" / f"{self.name}-{place[:16]}"
        found = kept(folder, mark, self._sensor(), lambda w: self._fill(w, classes, parts))
        counts, checksums = found.extra["counts"], found.extra["checksums"]
        sets, start = [], 0
        for part in parts:
            rows = np.arange(start, start + counts[part.name])
            name = f"{self.name}/{part.name}"
            sets.append(EventSet(found.events, found.labels[rows], classes, name, rows=rows))
            start += len(rows)
        return parts, sets, checksums

    def _base(self, root: Path) -> Path:
        """Return the folder that the files lie below."""
        return root

    def _fill(self, writer: Writer, classes: tuple[str, ...], parts: list[Part]) -> dict[str, Any]:
        """Parse every file, one at a time in memory."""
        counts: dict[str, int] = {}
        checksums: dict[str, str] = {}
        with bar(f"{self.name}: reading", sum(len(part.files) for part in parts)) as advance:
            for part in parts:
                digests = {n: sha256(m.read()) for n, m in part.beside.items()}
                counts[part.name] = 0
                for file in part.files:
                    data = file.read()
                    digests["/".join(file.parts[-2:])] = sha256(data)
                    for label, recording in self._recordings(part, file, data, classes):
                        writer.add(label, recording)
                        counts[part.name] += 1
                    advance()
                total = hashlib.sha256()
                for name in sorted(digests):
                    total.update(name.encode(errors="surrogateescape") + b"\0")
                    total.update(digests[name].encode())
                checksums[part.name] = total.hexdigest()
        return {"counts": counts, "checksums": checksums}

    def _existing(self, root: Path, *places: str) -> Path:
        """Return the first of some folders or files below the root that is there.

        Raises:
            MissingDataError: If none is.
        """
        for place in places:
            if (root / place).exists():
                return root / place
        raise MissingDataError(
            f"{self.name}: expected {' or '.join(places)} below the data root {root}, found "
            "neither; point SPIKEDOOR_DATA or root=... at the data"
        )


class UndividedSource(EventSource):
    """Sources without a published split: `_parts` gives a single part."""

    train_share: float = Field(0.9, gt=0, lt=1)
    """Share of each class to train on."""

    def _divide(self, parts: list[EventSet]) -> tuple[EventSet, EventSet]:
        """Return the first recordings of each class to train on, and the last to test on.

        Raises:
            DataError: If nothing is left to test on, or to train on.
        """
        (whole,) = parts
        train = first_come(whole.labels, round(self.train_share * len(whole)))
        test = np.setdiff1d(np.arange(len(whole)), train, assume_unique=True)
        if not len(train) or not len(test):
            raise DataError(
                f"{whole.name}: expected recordings to train and to test on, found {len(whole)}"
            )
        return whole.subset(train), whole.subset(test)


def _all(part: Part) -> list[Member]:
    return [*part.files, *part.beside.values()]


def by_class(base: Path, suffixes: tuple[str, ...], depth: int = 1) -> dict[str, list[Member]]:
    """Return the files of each class folder below a base, or in an archive of it.

    Raises:
        DataError: If there are none.
    """
    found: dict[str, list[Member]] = {}
    for member in members(base, suffixes, depth):
        found.setdefault(member.parts[-2], []).append(member)
    if not found:
        raise DataError(f"{base}: expected class folders with {', '.join(suffixes)} files")
    return dict(sorted(found.items()))
