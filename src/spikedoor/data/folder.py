"""A folder of images, one subfolder a class."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field, model_validator

from spikedoor.data.base import Dataset, ImageSet
from spikedoor.data.decode import decode
from spikedoor.data.files import read_limited, sha256
from spikedoor.data.source import DATASETS, DataSource, Inventory
from spikedoor.data.strata import split
from spikedoor.errors import ConfigError, DataError, MissingDataError
from spikedoor.rng import generator

__all__ = ["IMAGE_SUFFIXES", "ImageFolder"]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
"""Endings of the names of image files."""
_MAX_FILE = 1 << 28
_MAX_SET = 1 << 34


@final
@DATASETS.register("image-folder")
class ImageFolder(DataSource):
    """Images of your own: ``train/<class>/*.png`` and ``test/<class>/*.png``, or ``<class>/*.png``.

    PNG, JPEG and BMP with 8 bits a channel; transparency is dropped. Classes are the names of the
    folders, sorted; files are taken in order of their names; names that start with a dot are
    passed over. In the flat layout the test set is drawn at random, every class in proportion.
    The checksums are one a class folder: the SHA-256 of ``name, zero byte, SHA-256`` of each file.
    """

    places: ClassVar[tuple[str, ...]] = (*DataSource.places, "path")

    path: Path
    """The folder; a relative one is taken from the working folder."""
    test_share: float = Field(0.2, gt=0, lt=1)
    """Share of the images to hold out as test set, in the flat layout."""
    seed: int = Field(0, ge=0)
    """Seed of that split."""
    size: int | None = Field(None, gt=0, le=4096)
    """Side to resize every image to: area average to shrink, bilinear to enlarge."""
    channels: Literal[1, 3] = 3
    """Grey (1) or colour (3)."""

    @model_validator(mode="after")
    def _nothing_to_fetch(self) -> ImageFolder:
        if self.download:
            raise ConfigError("download: an image folder is your own, there is nothing to fetch")
        return self

    def inventory(self) -> Inventory:
        """Return the images of ``train/``, or all of a flat folder, with their paths below it.

        Raises:
            ConfigError: If a fold or a limit is set, which would leave out images.
            DataError: As `load` does.
        """
        self._check_whole()
        base = self._base()
        part = "train" if _is_divided(base) else ""
        tree = _tree(base / part, base)
        names = (path.relative_to(base).as_posix() for files in tree.values() for path in files)
        return Inventory.of(self._images(tree, base, part or "all", {}), names)

    def _base(self) -> Path:
        base = self.path.expanduser()
        if not base.is_dir():
            raise MissingDataError(
                f"{self.name}: expected a folder at {base}, point path=... at it"
            )
        return base.resolve()

    def _load(self, root: Path) -> Dataset:
        base = self._base()
        checksums: dict[str, str] = {}
        if _is_divided(base):
            train = self._images(_tree(base / "train", base), base, "train", checksums)
            test_tree = _tree(base / "test", base)
            for name in test_tree.keys() - set(train.classes):
                raise DataError(f"{base / 'test'}: expected the classes of train/, found {name!r}")
            test = self._images(test_tree, base, "test", checksums, train)
        else:
            whole = self._images(_tree(base, base), base, "all", checksums)
            held_out = round(self.test_share * len(whole))
            if not 0 < held_out < len(whole):
                raise DataError(
                    f"{base}: expected enough images to hold out {self.test_share:g} of them, "
                    f"found {len(whole)}"
                )
            parts = split(whole.labels, held_out, generator(self.seed, "image-folder split"))
            train, test = (whole.subset(indices) for indices in parts)
        return Dataset(self.name, train, test, checksums)

    def _images(
        self,
        tree: dict[str, list[Path]],
        base: Path,
        part: str,
        checksums: dict[str, str],
        like: ImageSet | None = None,
    ) -> ImageSet:
        """Read the files of a tree, with the classes and the image size of another set if given."""
        classes = like.classes if like else tuple(tree)
        shape = like.shape if like else None
        labels = [classes.index(name) for name, files in tree.items() for _ in files]
        images, row = None, 0
        for files in tree.values():
            digest = bytearray()
            for path in files:
                label = path.relative_to(base).as_posix()
                data = read_limited(path, _MAX_FILE, label)
                digest += path.name.encode(errors="surrogateescape") + b"\0" + sha256(data).encode()
                image = decode(data, label, self.channels, self.size)
                shape = shape or image.shape
                if image.shape != shape:
                    raise DataError(
                        f"{label}: expected an image of {shape[1:]} like those before, "
                        f"found {image.shape[1:]}; size=... resizes them all"
                    )
                if images is None:
                    images = self._allocate(len(labels), image.shape)
                images[row] = image
                row += 1
            checksums[files[0].parent.relative_to(base).as_posix()] = sha256(bytes(digest))
        if images is None:
            raise DataError(f"{base}: expected class folders with images, found none")
        return ImageSet(images, np.array(labels, np.int64), classes, f"{self.name}/{part}")

    def _allocate(self, count: int, shape: tuple[int, ...]) -> np.ndarray:
        total = count * int(np.prod(shape))
        if total > _MAX_SET:
            raise DataError(
                f"{self.name}: expected at most {_MAX_SET} bytes of pixels, found {total}; "
                "size=... makes the images smaller"
            )
        return np.empty((count, *shape), np.uint8)


def _inside(path: Path, base: Path) -> Path:
    """Return the path, unless it is a link that leaves the folder or leads nowhere."""
    if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(base)):
        raise DataError(f"{path}: expected a link that stays in {base}, found one that does not")
    return path


def _visible(folder: Path, base: Path) -> list[Path]:
    if not _inside(folder, base).is_dir():
        return []
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    return [_inside(path, base) for path in entries if not path.name.startswith(".")]


def _folders(folder: Path, base: Path) -> list[Path]:
    return [path for path in _visible(folder, base) if path.is_dir()]


def _is_divided(base: Path) -> bool:
    return any(_folders(base / part, base) for part in ("train", "test"))


def _tree(folder: Path, base: Path) -> dict[str, list[Path]]:
    """Return the image files of each class folder, both in order of their names."""
    tree = {}
    for child in _folders(folder, base):
        files = _visible(child, base)
        for path in files:
            if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
                known = ", ".join(IMAGE_SUFFIXES)
                raise DataError(f"{path}: expected an image file that ends in one of {known}")
        if not files:
            raise DataError(f"{child}: expected images, found an empty folder")
        tree[child.name] = files
    if not tree:
        raise DataError(f"{folder}: expected class folders with images, found none")
    return tree
