"""Data of one's own by the path of a folder: what lies in it tells which source reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from spikedoor.data.events.folder import EventFolder
from spikedoor.data.events.formats import SUFFIXES
from spikedoor.data.folder import IMAGE_SUFFIXES, ImageFolder
from spikedoor.errors import ConfigError, DataError, MissingDataError

__all__ = ["folder_source"]


def folder_source(
    path: str | Path,
    sensor: tuple[int, int] | None = None,
    size: int | None = None,
    channels: Literal[1, 3] = 3,
) -> ImageFolder | EventFolder:
    """Return the source that reads a folder of images or of recordings, one subfolder a class.

    The first file with a known ending decides; nothing is read yet.

    Args:
        path: Folder with class folders, or with ``train`` and ``test`` that have them.
        sensor: Height and width of the sensor, which recordings do not tell.
        size: Side to resize images to.
        channels: Of the images: grey (1) or colour (3).

    Raises:
        MissingDataError: If there is no such folder.
        DataError: If no class folder has a file of a known ending.
        ConfigError: If recordings come without a sensor, or a setting is for the other kind.
    """
    base = Path(path).expanduser()
    if not base.is_dir():
        found = "a file" if base.is_file() else "nothing"
        raise MissingDataError(f"{base}: expected a folder of images or recordings, found {found}")
    for file in _files(base):
        if file.suffix.lower() in IMAGE_SUFFIXES:
            if sensor is not None:
                raise ConfigError(f"sensor: {base} has images, such as {file.name}, and no sensor")
            return ImageFolder(path=base, size=size, channels=channels)
        if file.suffix.lower() in SUFFIXES:
            return _recordings(base, file, sensor, size)
    raise DataError(
        f"{base}: expected a subfolder for each class, with images "
        f"({', '.join(IMAGE_SUFFIXES)}) or recordings ({', '.join(SUFFIXES)}) in it, found none"
    )


def _recordings(
    base: Path, file: Path, sensor: tuple[int, int] | None, size: int | None
) -> EventFolder:
    if sensor is None:
        raise ConfigError(
            f"{base} has recordings, such as {file.name}: expected the sensor's height and width, "
            "such as sensor=(34, 34) for N-MNIST or --sensor 34x34, got none"
        )
    if size is not None:
        raise ConfigError(f"size: {base} has recordings, which are not resized")
    return EventFolder(path=base, sensor=sensor)


def _files(base: Path) -> Iterator[Path]:
    top = base / "train" if (base / "train").is_dir() else base
    try:
        for folder in sorted(top.iterdir()):
            if folder.is_dir() and not folder.name.startswith("."):
                yield from sorted(file for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise DataError(f"{top}: cannot be read ({error.strerror})") from None
