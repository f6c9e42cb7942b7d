"""N-Caltech101: the pictures of Caltech101, seen by an event camera that moves."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from spikedoor.data.events.source import Part, UndividedSource, by_class
from spikedoor.data.source import DATASETS

__all__ = ["NCaltech101"]


@final
@DATASETS.register(
    "n-caltech101",
    source="Orchard et al. 2015, Converting static image datasets to spiking datasets",
    link="https://doi.org/10.3389/fnins.2015.00437",
)
class NCaltech101(UndividedSource):
    """A hundred kinds of things and background, 8,709 recordings, from ``Caltech101``.

    ``Caltech101/<class>/*.bin``, or the published ``Caltech101.zip``, read where it lies. Pictures
    differ in size: each lies in the upper left of a sensor of 180 x 240 pixels. No split was
    published: the first of each class by file name are to train on, the rest to test on.
    """

    needs: ClassVar[tuple[tuple[str, ...], ...]] = (("Caltech101", "Caltech101.zip"),)

    def _sensor(self) -> tuple[int, int]:
        return 180, 240

    def _base(self, root: Path) -> Path:
        return root / "Caltech101"

    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        base = self._existing(root, *self.needs[0])
        found = by_class(base, (".bin",), depth=2 if base.is_file() else 1)
        files = [file for files in found.values() for file in files]
        return tuple(found), [Part("all", files)]
