"""Files of recordings, in a folder or in a zip archive that is read where it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final
from zipfile import ZipInfo

from spikedoor.data.files import read_limited
from spikedoor.data.zips import leads_out, most_unpacked, read_member, zip_entries
from spikedoor.errors import DataError

__all__ = ["Member", "members"]

_MAX_FILE = 1 << 31


@final
@dataclass(frozen=True)
class Member:
    """Describe one file: its path below the folder, its size, and when it was changed.

    Args:
        name: Path below the folder or in the archive, with forward slashes.
        size: Bytes.
        changed: Time of the last change of the file, or of the archive, in nanoseconds.
        read: Returns the file; raises `DataError` if that cannot be done.
    """

    name: str
    size: int
    changed: int
    read: Callable[[], bytes]

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's folders and file name."""
        return PurePosixPath(self.name).parts


def members(base: Path, suffixes: tuple[str, ...], depth: int) -> list[Member]:
    """Return the files at a depth below a folder or in an archive, in order of their paths.

    Files with other endings are left out, and those with a dot in front in their path.

    Args:
        base: A folder or a zip archive.
        suffixes: Endings wanted, in small letters.
        depth: Number of folders above a file, below the base.

    Raises:
        DataError: If a link leaves the folder, the archive is damaged, or a name in it leads out of
            the folder or has a control character.
    """
    found = _in_archive(base) if base.is_file() else _in_folder(base, depth)
    wanted = [
        member
        for member in found
        if len(member.parts) == depth + 1
        and member.name.lower().endswith(suffixes)
        and not any(part.startswith((".", "__MACOSX")) for part in member.parts)
    ]
    for member in wanted:
        if any(ord(letter) < ord(" ") for letter in member.name):
            raise DataError(f"{base}: expected names of one line, found {member.name!r}")
    return sorted(wanted, key=lambda member: member.parts)


def _in_folder(base: Path, depth: int) -> list[Member]:
    found = []
    inside = base.resolve()
    for path in base.glob("/".join(["*"] * (depth + 1))):
        if not path.is_file() and not path.is_symlink():
            continue
        name = path.relative_to(base).as_posix()
        real = path.resolve()
        if not real.is_relative_to(inside) or not real.is_file():
            raise DataError(f"{path}: expected a link to a file in {base}, found another")
        stat = real.stat()
        read = _reader(real, name)
        found.append(Member(name, stat.st_size, stat.st_mtime_ns, read))
    return found


def _reader(path: Path, name: str) -> Callable[[], bytes]:
    return lambda: read_limited(path, _MAX_FILE, name)


def _in_archive(path: Path) -> list[Member]:
    # The archive stays open as long as somebody holds one of its members.
    archive, entries = zip_entries(path, path.name)
    stat = path.stat()
    for entry in entries:
        if leads_out(entry.filename):
            raise DataError(
                f"{path.name}: expected paths below the folder, found {entry.filename!r:.80}"
            )

    def reader(entry: ZipInfo) -> Callable[[], bytes]:
        limit = most_unpacked(min(entry.compress_size, stat.st_size))
        return lambda: read_member(archive, entry, limit, f"{path.name}/{entry.filename}")

    return [
        Member(entry.filename, entry.file_size, stat.st_mtime_ns, reader(entry))
        for entry in entries
    ]
