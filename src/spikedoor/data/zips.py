"""Zip archives: what is in them, and members read whole within a limit."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from spikedoor.errors import DataError

__all__ = ["leads_out", "most_unpacked", "read_member", "zip_entries"]

_MAX_FILE = 1 << 31
_ALWAYS = 1 << 20
_RATIO = 64  # events shrink to a third or a tenth

_DAMAGE = (
    *(BadZipFile, zlib.error, struct.error, EOFError, OSError),
    # What zipfile raises for passwords, and names or sizes that cannot be.
    *(RuntimeError, ValueError, IndexError, OverflowError),
)


def leads_out(name: str) -> bool:
    """Tell whether a name in an archive could lead out of the folder, on any system."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name


def most_unpacked(packed: int) -> int:
    """Return how many bytes may come of some packed ones; more is taken for an attack."""
    return min(_MAX_FILE, max(_ALWAYS, _RATIO * packed))


def zip_entries(file: Path | BinaryIO, name: str) -> tuple[ZipFile, list[ZipInfo]]:
    """Open an archive and list its files, folders left out.

    Args:
        file: The archive.
        name: What to call it in a message.

    Raises:
        DataError: If it is damaged.
    """
    try:
        archive = ZipFile(file)
    except _DAMAGE as error:
        raise DataError(f"{name}: expected a whole zip archive: {error}") from None
    # Not by `is_dir`, which fails on an entry without a name.
    return archive, [entry for entry in archive.infolist() if not entry.filename.endswith("/")]


def read_member(archive: ZipFile, entry: ZipInfo, limit: int, name: str) -> bytes:
    """Read a file of an archive; it is never unpacked beyond the size that it claims.

    Args:
        archive: The archive.
        entry: The file.
        limit: Largest size, in bytes.
        name: What to call the file in a message.

    Raises:
        DataError: If it is larger than the limit or than it claims, damaged, or packed otherwise
            than by deflate; the others can claim memory of their own.
    """
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise DataError(
            f"{name}: expected a file stored or deflated, found packing {entry.compress_type}"
        )
    if entry.file_size > limit:
        raise DataError(f"{name}: expected at most {limit} bytes, found {entry.file_size}")
    try:
        with archive.open(entry) as file:
            data = file.read(entry.file_size + 1)
    except _DAMAGE as error:
        raise DataError(f"{name}: expected a whole file in the archive: {error}") from None
    if len(data) != entry.file_size:
        raise DataError(f"{name}: expected {entry.file_size} bytes, found {len(data)}")
    return data
