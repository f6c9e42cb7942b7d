"""Writing so that nothing is lost and nothing is half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikedoor.errors import OutputError

__all__ = ["check_free", "new_folder", "write_bytes", "write_file"]


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
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
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


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
