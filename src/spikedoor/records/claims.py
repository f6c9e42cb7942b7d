"""Who computes what: locks that the system releases when their holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None

__all__ = ["claimed"]


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the block runs; yield whether this block may do the work.

    It does not wait. Where locks do not work, as on some network file systems, it yields True:
    then two may do the same work.
    """
    handle, mine = _take(path)
    try:
        yield mine
    finally:
        if handle is not None:
            _release(handle)


def _take(path: Path) -> tuple[int | None, bool]:
    """Return the open lock file, if it is locked, and whether the work is ours."""
    while fcntl is not None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError:
            break
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _names(path, handle):
                return handle, True
        except BlockingIOError:
            os.close(handle)
            return None, False
        except OSError:
            os.close(handle)
            break
        os.close(handle)
    return None, True


def _names(path: Path, handle: int) -> bool:
    """Tell whether the path still names the locked file: gc may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _release(handle: int) -> None:
    # Closing alone would leave the lock to child processes, which inherited the file.
    try:
        fcntl.flock(handle, fcntl.LOCK_UN)  # type: ignore[union-attr]
    finally:
        os.close(handle)
