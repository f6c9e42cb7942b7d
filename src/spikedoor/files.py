"""Writing so that nothing is lost and nothing is half-written; reading within limits."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from spikedoor.errors import OutputError, hint

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "check_free",
    "make_folder",
    "missed",
    "new_folder",
    "npz",
    "read_plain",
    "remove",
    "write_bytes",
    "write_file",
]


def check_free(folder: str | Path) -> Path:
    """Return the folder's path if it can be made new: it does not exist, or it is empty.

    Raises:
        OutputError: If it is occupied, or its parent cannot be written to.
    """
    folder = Path(folder)
    try:
        return _check_free(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot write here ({error.strerror})") from None


def _check_free(folder: Path) -> Path:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder}: expected a folder to write, found a file or link")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder}: the output folder is not empty; name another one")
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot write here, {parent} is read-only or no folder")
    return folder


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Fill a folder aside and move it to its place when the block ends well.

    Raises:
        OutputError: If the place is occupied or cannot be written to.
    """
    folder = check_free(folder)
    try:
        _make(folder.absolute().parent)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.absolute().parent))
    except OSError as error:
        raise OutputError(f"{folder}: cannot write here ({error.strerror})") from error
    try:
        yield aside
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(aside: Path, folder: Path) -> None:
    try:
        aside.chmod(0o755)
        _sync(aside)
        aside.rename(folder)
        _sync(folder.absolute().parent)
    except OSError as error:
        raise OutputError(f"{folder}: could not be written ({error.strerror})") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk.

    Raises:
        OutputError: If the system refuses, for want of space or of permission.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise OutputError(f"{path}: could not be written ({error.strerror})") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file aside and move it to its place, where it replaces the one before.

    Raises:
        OutputError: If it cannot be written; the one before is then as it was.
    """
    path = Path(path)
    folder = path.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=folder)
    except OSError as error:
        raise OutputError(f"{path}: cannot write here ({error.strerror})") from error
    os.close(handle)
    aside = Path(name)
    try:
        _write(aside, content)
        aside.chmod(0o644)
        aside.replace(path)
        _sync(folder)
    except OSError as error:
        raise OutputError(f"{path}: could not be written ({error.strerror})") from error
    finally:
        aside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents where they are missing, so that a power cut keeps them.

    Raises:
        OutputError: If the system refuses.
    """
    try:
        _make(folder.absolute())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def remove(path: Path) -> None:
    """Remove a file, link or folder; a folder is hidden first, so that nobody sees part of it.

    Raises:
        OutputError: If the system refuses. It is no error if there is nothing.
    """
    hidden = path.with_name(f".gone-{uuid4().hex}")
    try:
        path.rename(hidden)
        if hidden.is_dir() and not hidden.is_symlink():
            shutil.rmtree(hidden)
        else:
            hidden.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError(f"{path}: could not be removed ({error.strerror})") from error


def missed(path: Path, wanted: str) -> str:
    """Return in words that a path does not lead to what was wanted, and what is there or near.

    Args:
        path: As the user wrote it.
        wanted: What was expected, as in "a folder with victim.json".
    """
    near = ""
    try:
        if path.is_dir():
            found = "a folder without it" if any(path.iterdir()) else "an empty folder"
        elif os.path.lexists(path):
            found = "a file"
        else:
            found = "nothing there"
            near = hint(str(path), map(str, path.parent.glob("[!.]*")), listed=False)
    except OSError as error:
        found = f"what cannot be read ({error.strerror})"
    return f"{path}: expected {wanted}, found {found}{near}"


def read_plain(path: Path, limit: int, follow: bool = False) -> bytes:
    """Read a regular file whole, after a look at its size.

    Args:
        path: File to read.
        limit: Largest size, in bytes.
        follow: Whether a link may lead to it.

    Raises:
        OSError: If it is missing, no regular file, larger than the limit, or cannot be read.
    """
    found = path.stat() if follow else path.lstat()
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    if found.st_size > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit} bytes, found {found.st_size}")
    with path.open("rb") as file:
        return file.read(found.st_size)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the content of a compressed npz file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()
