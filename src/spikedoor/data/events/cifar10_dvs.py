"""CIFAR10-DVS: images of CIFAR-10 moved on a screen before an event camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, final

from spikedoor.data.events.members import Member
from spikedoor.data.events.source import Part, UndividedSource, by_class
from spikedoor.data.source import DATASETS
from spikedoor.errors import DataError

__all__ = ["Cifar10Dvs"]

_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


@final
@DATASETS.register(
    "cifar10-dvs",
    source="Li et al. 2017, CIFAR10-DVS: an event-stream dataset for object classification",
    link="https://doi.org/10.3389/fnins.2017.00309",
)
class Cifar10Dvs(UndividedSource):
    """Ten kinds of animals and vehicles, 10,000 recordings of 128 x 128, from ``CIFAR10DVS``.

    ``CIFAR10DVS/<class>/*.aedat``, or the published ``<class>.zip`` there, read where they lie.
    No split was published: the first of each class by file name are to train on, the rest to test
    on, as in most of the literature.

    The camera's addresses are turned into pixels as the authors' own script does, and after it
    SpikingJelly: columns are 127 less bits 8-14, rows 127 less bits 1-7, and polarity bit 0 means
    OFF. Against the view of jAER this exchanges rows and columns.
    """

    needs: ClassVar[tuple[tuple[str, ...], ...]] = tuple(
        (f"CIFAR10DVS/{name}", f"CIFAR10DVS/{name}.zip") for name in _CLASSES
    )

    def _sensor(self) -> tuple[int, int]:
        return 128, 128

    def _base(self, root: Path) -> Path:
        return root / "CIFAR10DVS"

    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        files: list[Member] = []
        folders: dict[str, list[Member]] | None = None
        for name, places in zip(_CLASSES, self.needs, strict=True):
            base = self._existing(root, *places)
            if base.is_file():
                found = by_class(base, (".aedat",))
                if name not in found:
                    raise DataError(f"{base}: expected a folder {name!r}, found {min(found)!r}")
                files += found[name]
                continue
            if folders is None:
                folders = by_class(self._base(root), (".aedat",))
            files += folders.get(name, [])
        return _CLASSES, [Part("all", files)]

    def _parse(self, file: Member, data: bytes) -> Any:
        return super()._parse(file, data).transposed
