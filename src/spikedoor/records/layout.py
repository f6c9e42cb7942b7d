"""The folder of a store: made, told from other folders, and listed without following links."""

from __future__ import annotations

import json
import os
from pathlib import Path

from spikedoor.errors import DataError, MissingDataError, OutputError, reason
from spikedoor.files import make_folder, missed, read_plain, write_file

__all__ = ["BAD_JSON", "LARGE", "MARK", "SCHEMA", "SMALL", "listed", "open_folder", "refuse_link"]

SCHEMA = 1
MARK = "store.json"
SMALL, LARGE = 1 << 20, 64 << 20
BAD_JSON = (OSError, ValueError, LookupError, TypeError, RecursionError)
_ROOMS = ("entries", "aside", "claims", "failures", "pins", "indexes")


def open_folder(folder: Path, create: bool) -> Path:
    """Return the folder of a store, made if that is wanted and it is missing or empty.

    Raises:
        MissingDataError: If there is no store and none is to be made.
        OutputError: If the folder is something else, or cannot be made.
        DataError: If the store is damaged, or of another schema.
    """
    try:
        if not _is_there(folder, create):
            make_folder(folder)
            write_file(folder / MARK, json.dumps({"store": SCHEMA}).encode() + b"\n")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be opened ({error.strerror})") from None
    try:
        schema = json.loads(read_plain(folder / MARK, SMALL))["store"]
    except BAD_JSON as error:
        raise DataError(f"{folder}: {MARK} is damaged ({reason(error)})") from None
    if schema != SCHEMA:
        raise DataError(f"{folder}: store of schema {schema}, this version reads {SCHEMA}")
    for room in _ROOMS:
        refuse_link(folder / room)
    return folder


def _is_there(folder: Path, create: bool) -> bool:
    # Listed before the look at the mark, which is made first: whoever sees any other part of a
    # store that is being made then finds the mark too.
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(missed(folder, "the folder of a store"))
    names = os.listdir(folder) if os.path.lexists(folder) else []
    if os.path.lexists(folder / MARK):
        return True
    if not create:
        raise MissingDataError(missed(folder, f"the folder of a store, with {MARK}"))
    if not all(name.startswith(f".{MARK}-") for name in names):
        raise OutputError(
            f"{folder}: expected a store or an empty folder, found neither; name another one"
        )
    return False


def listed(folder: Path) -> list[str]:
    """Return the names in a folder of the store, sorted; none where it is missing.

    Raises:
        DataError: If it is a link or a file, or cannot be read.
    """
    refuse_link(folder)
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None


def refuse_link(folder: Path) -> None:
    """Refuse a link, which could lead out of the store, and a file, where a folder belongs.

    Raises:
        DataError: If it is one, or cannot be looked at.
    """
    try:
        refused = folder.is_symlink() or (folder.exists() and not folder.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    if refused:
        raise DataError(f"{folder}: expected a folder of the store, found a file or link")
