"""What is in a store and no longer wanted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spikedoor.files import read_plain, remove
from spikedoor.records.claims import claimed
from spikedoor.records.entry import DamageError, load
from spikedoor.records.layout import BAD_JSON, LARGE, MARK, listed
from spikedoor.records.store import Store

__all__ = ["GRACE_S", "Garbage", "gc"]

GRACE_S = 3600.0


@dataclass(frozen=True)
class Garbage:
    """Something that is no longer wanted.

    Args:
        path: Where it is.
        what: ``entry`` (no pin reaches it), ``leftover`` (of an interrupted process), ``aside``
            (a damaged entry that was set aside), ``claim`` (a lock that nobody holds), ``failure``
            (noted for a key that is not wanted) or ``index`` (of a sweep whose results are not all
            wanted).
        bytes: Its size.
    """

    path: Path
    what: str
    bytes: int


def gc(store: Store, dry_run: bool = True, grace: float = GRACE_S) -> list[Garbage]:
    """Collect the garbage: return what is no longer wanted and, if told so, delete it.

    Wanted is what a pin names, what is younger than the grace time, and all that these were made
    from. The index of a sweep stays as long as every result that it names is wanted.

    Args:
        store: Where to collect.
        dry_run: Whether to leave everything as it is.
        grace: Seconds for which anything new is left alone, so that running work is safe.

    Returns:
        What would go, or went.

    Raises:
        DataError: If a pin is damaged; nothing is deleted then.
        OutputError: If something cannot be deleted.
    """
    found = list(_garbage(store, time.time() - grace))
    return found if dry_run else [garbage for garbage in found if _delete(garbage)]


def _garbage(store: Store, before: float) -> Iterator[Garbage]:
    keys = list(store.keys())
    wanted = _wanted(store, keys, before)
    candidates = [("entry", store.path(key)) for key in keys if key not in wanted]
    candidates += [("leftover", path) for path in _leftovers(store.folder)]
    candidates += [("aside", path) for path in _paths(store.folder / "aside")]
    candidates += [("claim", path) for path in _paths(store.folder / "claims")]
    candidates += [
        ("failure", path)
        for path in _paths(store.folder / "failures")
        if not path.name.startswith(".") and path.stem not in wanted
    ]
    candidates += [
        ("index", path)
        for path in _paths(store.folder / "indexes")
        if not path.name.startswith(".") and not _indexed(path) <= wanted
    ]
    for what, path in candidates:
        if _is_old(path, before) and (what != "claim" or _is_free(path)):
            yield Garbage(path, what, _weight(path))


def _wanted(store: Store, keys: list[str], before: float) -> set[str]:
    """Return what pins and new entries reach, keys without an entry among them."""
    inputs: dict[str, Iterable[str]] = {}
    for key in keys:
        with suppress(DamageError):
            inputs[key] = load(store.path(key), key).inputs.values()
    ahead = [key for key in keys if not _is_old(store.path(key), before)]
    ahead += [key for pinned in store.pins().values() for key in pinned]
    wanted: set[str] = set()
    while ahead:
        key = ahead.pop()
        if key not in wanted:
            wanted.add(key)
            ahead += inputs.get(key, ())
    return wanted


def _indexed(path: Path) -> set[str]:
    """Return the keys that an index names; none of one that is damaged, which is let be."""
    try:
        return set(dict(json.loads(read_plain(path, LARGE))["made"]))
    except BAD_JSON:
        return set()


def _leftovers(folder: Path) -> Iterator[Path]:
    """Yield what is hidden in the store: being written, or left by a process that died."""
    yield from (path for path in _paths(folder) if path.name.startswith(f".{MARK}-"))
    entries = folder / "entries"
    prefixes = [path for path in _paths(entries) if path.is_dir() and not path.is_symlink()]
    for room in (entries, *(folder / name for name in ("failures", "pins", "indexes")), *prefixes):
        yield from (path for path in _paths(room) if path.name.startswith("."))


def _paths(folder: Path) -> list[Path]:
    return [folder / name for name in listed(folder)]


def _is_old(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime <= before
    except FileNotFoundError:
        return False


def _is_free(lock: Path) -> bool:
    with claimed(lock) as mine:
        return mine


def _weight(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; links are not followed."""
    files = [path]
    if path.is_dir() and not path.is_symlink():
        files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    size = 0
    for file in files:
        with suppress(FileNotFoundError):
            size += file.lstat().st_size
    return size


def _delete(garbage: Garbage) -> bool:
    if garbage.what != "claim":
        remove(garbage.path)
        return True
    with claimed(garbage.path) as mine:
        if mine:
            garbage.path.unlink(missing_ok=True)
        return mine
