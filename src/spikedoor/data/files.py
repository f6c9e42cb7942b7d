"""Where data files lie, and reading them whole within a limit."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from spikedoor.errors import DataError
from spikedoor.files import read_plain

__all__ = ["cache_root", "data_root", "locate", "read_limited", "sha256"]


def data_root(root: Path | None = None) -> Path:
    """Return the data folder: the one given, else ``$SPIKEDOOR_DATA``, else the user's cache."""
    if root is None:
        root = Path(os.environ.get("SPIKEDOOR_DATA") or "~/.cache/spikedoor/data")
    return root.expanduser()


def cache_root() -> Path:
    """Return the folder for what can be made again: ``$SPIKEDOOR_CACHE``, else the user's cache."""
    return Path(os.environ.get("SPIKEDOOR_CACHE") or "~/.cache/spikedoor").expanduser()


def locate(root: Path, file: str) -> Path | None:
    """Return the path of a file below the root, or None; ``x.gz`` may also lie unpacked as ``x``.

    Args:
        root: Data folder.
        file: Path below it, with forward slashes.
    """
    candidates = (root / file, root / file.removesuffix(".gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_limited(path: Path, limit: int, name: str | None = None) -> bytes:
    """Read a whole regular file, after a look at its size.

    Args:
        path: File to read.
        limit: Largest size, in bytes.
        name: What to call the file in a message; its own name where left out.

    Raises:
        DataError: If the file is larger than the limit, no regular file, or cannot be read.
    """
    name = path.name if name is None else name
    try:
        return read_plain(path, limit, follow=True)
    except OSError as error:
        reason = error.strerror or str(error)
        what = "" if error.errno == errno.EFBIG else "expected a file that can be read: "
        raise DataError(f"{name}: {what}{reason}") from None


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
