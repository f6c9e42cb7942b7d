"""Take named files out of a tar archive, and nothing else."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from tempfile import TemporaryDirectory

from spikedoor.data.zips import leads_out
from spikedoor.errors import DataError

__all__ = ["unpack"]

_MAX_BYTES = 1 << 30
_PIECE = 1 << 20


class _Pieces(GzipFile):
    """A gzip file that is read in pieces only: tarfile reads long names whole, and trusts them."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _PIECE:
            raise tarfile.ReadError(f"expected headers of at most {_PIECE} bytes, found {size}")
        return super().read(size)


def unpack(
    archive: Path,
    root: Path,
    members: tuple[str, ...],
    name: str | None = None,
    max_bytes: int = _MAX_BYTES,
) -> None:
    """Put files of a gzipped tar archive below a folder, each whole or not at all.

    The archive is refused as a whole when any entry is a link or device, has an absolute path or
    one with ``..``, or when its entries together are above the limit.

    Args:
        archive: File to read.
        root: Folder to put the files below, under their names in the archive.
        members: Names of the files wanted.
        name: What to call the archive in a message; its own name where left out.
        max_bytes: Limit on the size of all entries together.

    Raises:
        DataError: If the archive is damaged, malicious, or lacks a file.
    """
    name = archive.name if name is None else name
    wanted = set(members)
    with TemporaryDirectory(dir=root, prefix=".unpack-") as scratch:
        try:
            with _Pieces(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
                left = max_bytes
                for entry in tar:
                    _vet(name, entry)
                    left -= entry.size
                    if left < 0:
                        raise DataError(f"{name}: expected at most {max_bytes} bytes, found more")
                    if entry.isreg() and entry.name in wanted:
                        _copy(tar, entry, Path(scratch, entry.name))
                        wanted.discard(entry.name)
        except (tarfile.TarError, BadGzipFile, EOFError, zlib.error, ValueError) as error:
            raise DataError(f"{name}: expected a whole tar archive: {error}") from None
        if wanted:
            raise DataError(f"{name}: expected the file {min(wanted)}, found none of that name")
        for member in members:
            (root / member).parent.mkdir(parents=True, exist_ok=True)
            Path(scratch, member).replace(root / member)


def _vet(name: str, entry: tarfile.TarInfo) -> None:
    if leads_out(entry.name):
        raise DataError(f"{name}: expected paths below the folder, found {entry.name!r}")
    if not (entry.isreg() or entry.isdir()):
        raise DataError(f"{name}: expected files and folders, found a link or device {entry.name}")


def _copy(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    if source is not None:
        with source, path.open("wb") as file:
            shutil.copyfileobj(source, file, _PIECE)
