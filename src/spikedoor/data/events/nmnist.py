"""N-MNIST: the digits of MNIST, seen by an event camera that moves."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from spikedoor.data.events.source import EventSource, Part, by_class
from spikedoor.data.source import DATASETS
from spikedoor.errors import DataError

__all__ = ["NMnist"]

_DIGITS = tuple("0123456789")


@final
@DATASETS.register(
    "nmnist",
    source="Orchard et al. 2015, Converting static image datasets to spiking datasets",
    link="https://doi.org/10.3389/fnins.2015.00437",
)
class NMnist(EventSource):
    """Handwritten digits recorded in three saccades, 60,000 + 10,000, from ``NMNIST``.

    ``NMNIST/Train/<digit>/<number>.bin`` and ``NMNIST/Test/...``, or the published ``Train.zip``
    and ``Test.zip`` there, which are read where they lie. Recordings come in order of their
    numbers, which are those of MNIST's images, counted from 1; any part of them will do. Times
    count from a recording's first event.
    """

    needs: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("NMNIST/Train", "NMNIST/Train.zip"),
        ("NMNIST/Test", "NMNIST/Test.zip"),
    )

    def _sensor(self) -> tuple[int, int]:
        return 34, 34

    def _base(self, root: Path) -> Path:
        return root / "NMNIST"

    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        parts = []
        for name, places in zip(("train", "test"), self.needs, strict=True):
            base = self._existing(root, *places)
            # The archives hold the folder itself.
            found = by_class(base, (".bin",), depth=2 if base.is_file() else 1)
            for wrong in sorted(set(found) - set(_DIGITS))[:1]:
                raise DataError(f"{base}: expected folders 0 to 9, found {wrong!r}")
            files = [file for files in found.values() for file in files]
            files.sort(key=lambda file: file.parts[-1])
            parts.append(Part(name, files))
        return _DIGITS, parts
