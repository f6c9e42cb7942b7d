"""Results under keys that stand for all that decides them: computed once, checked when read.

One folder serves any number of processes at once. An entry is there whole or not at all, and it
never changes:

    store.json                     the schema
    entries/ab/ab12.../            one entry: entry.json and its artefacts
    aside/                         damaged entries, kept for a look
    claims/  failures/  pins/      who computes what, what went wrong, what is still wanted
    indexes/                       where the results of a sweep lie; see `spikedoor.study.index`
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from spikedoor.data.files import sha256
from spikedoor.errors import ConfigError, DataError, OutputError, reason
from spikedoor.files import make_folder, new_folder, read_plain, remove, write_bytes, write_file
from spikedoor.records.claims import claimed
from spikedoor.records.entry import (
    ENTRY_FILE,
    DamageError,
    Entry,
    FileInfo,
    artefacts,
    check_key,
    check_name,
    encode,
    is_key,
    load,
)
from spikedoor.records.layout import BAD_JSON, LARGE, SMALL, listed, open_folder, refuse_link

__all__ = ["Store"]


T = TypeVar("T")


class Store:
    """A folder of entries.

    Args:
        folder: Where it is.
        create: Whether to make it where it is missing or empty.

    Raises:
        MissingDataError: If there is no store and none is to be made.
        OutputError: If the folder is something else, or cannot be made.
        DataError: If the store is damaged, or of another schema.
    """

    def __init__(self, folder: str | Path, create: bool = True) -> None:
        self.folder = open_folder(Path(folder), create)

    def path(self, key: str) -> Path:
        """Return where the entry of a key lies, or would lie."""
        prefix = self.folder / "entries" / check_key(key)[:2]
        refuse_link(prefix)
        return prefix / key

    def keys(self) -> Iterator[str]:
        """Yield the keys that have an entry, sorted; damaged ones are among them."""
        entries = self.folder / "entries"
        for prefix in listed(entries):
            if re.fullmatch("[0-9a-f]{2}", prefix):
                names = listed(entries / prefix)
                yield from (name for name in names if is_key(name) and name.startswith(prefix))

    def entry(self, key: str) -> Entry | None:
        """Return the entry of a key without a look at its artefacts; None if there is none.

        An ``entry.json`` that is damaged counts as none, as in `read`.
        """
        return self._trusted(key, lambda folder: load(folder, key))

    def read(self, key: str) -> tuple[Entry, dict[str, bytes]] | None:
        """Return the entry of a key and its artefacts, all checked; None if there is none.

        A damaged one is moved to ``aside/`` and counts as none, so that it is computed again.

        Raises:
            DataError: If it is there and cannot be read, say for want of permission.
            OutputError: If a damaged entry cannot be moved aside.
        """

        def whole(folder: Path) -> tuple[Entry, dict[str, bytes]]:
            entry = load(folder, key)
            return entry, dict(artefacts(folder, entry, entry.files))

        return self._trusted(key, whole)

    def write(
        self,
        key: str,
        kind: str,
        files: Mapping[str, bytes],
        *,
        config: dict[str, Any],
        inputs: dict[str, str] | None = None,
        seconds: float = 0.0,
        environment: dict[str, Any] | None = None,
    ) -> Entry:
        """Write an entry, and clear the failure noted for its key.

        Args:
            key: What stands for all that decides the result.
            kind: What it is, such as ``ann``.
            files: Artefacts by name.
            config: The plain JSON values that decided it, with the version of the stage.
            inputs: By name, the keys of the entries it was made from.
            seconds: Wall-clock time it took to make it.
            environment: Versions, processor, threads.

        Returns:
            The entry that stands: another one if another process was first.

        Raises:
            ConfigError: If a key, name or value is not valid.
            OutputError: If it cannot be written; nothing half-written stays.
        """
        folder = self.path(key)
        for name in files:
            if check_name(name, "artefact") == ENTRY_FILE:
                raise ConfigError(f"store: {ENTRY_FILE} is the store's own; name the artefact else")
        for used in (inputs or {}).values():
            check_key(used)
        entry = Entry(
            key,
            check_name(kind, "kind"),
            config,
            inputs or {},
            float(seconds),
            datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            environment or {},
            {name: FileInfo(sha256(content), len(content)) for name, content in files.items()},
        )
        files = {**files, ENTRY_FILE: encode(entry)}
        stands = self.read(key)
        if stands is None:
            try:
                with new_folder(folder) as aside:
                    for name, content in files.items():
                        write_bytes(aside / name, content)
            except OutputError:
                stands = self.read(key)
                if stands is None:
                    raise
        with suppress(OSError):
            self._failure(key).unlink(missing_ok=True)
        return entry if stands is None else stands[0]

    def set_aside(self, key: str, reason: str) -> None:
        """Move an entry to ``aside/``, as one that cannot be used though its checksums are right.

        Raises:
            OutputError: If it cannot be moved.
        """
        with suppress(FileNotFoundError):
            self._set_aside(key, self.path(key).lstat(), DamageError(reason))

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """Yield the entries, of one kind or of all, by key; damaged ones are passed over."""
        for key in self.keys():
            with suppress(DamageError):
                entry = load(self.path(key), key)
                if kind in (None, entry.kind):
                    yield entry

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Yield whether this block may compute the entry, and nobody else while it runs.

        It does not wait. When it yields True, look for the entry once more: another process may
        have written it meanwhile. A claim ends with its block or its process. Where locks do not
        work every claim is granted, and at worst the same is computed twice.
        """
        path = self.folder / "claims" / f"{check_key(key)}.lock"
        with suppress(OutputError):
            make_folder(path.parent)
        with claimed(path) as mine:
            yield mine

    def note_failure(self, key: str, reason: str) -> None:
        """Note why an entry could not be computed; a later `write` of it clears the note."""
        path = self._failure(key)
        make_folder(path.parent)
        write_file(path, reason.encode(errors="replace")[:SMALL])

    def failure(self, key: str) -> str | None:
        """Return why the entry of a key could not be computed, if that was noted."""
        path = self._failure(key)
        try:
            return read_plain(path, SMALL).decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None

    def pin(self, name: str, keys: Iterable[str]) -> None:
        """Say under a name which entries are wanted; it takes the place of an older pin.

        What is pinned, and what it was made from, `gc` leaves alone. Keys without an entry yet may
        be pinned, and should be: what they will be made from is not known before.
        """
        wanted = [check_key(key) for key in dict.fromkeys(keys)]
        path = self.folder / "pins" / f"{check_name(name, 'pin')}.json"
        make_folder(path.parent)
        write_file(path, json.dumps({"keys": wanted}, indent=1).encode() + b"\n")

    def unpin(self, name: str) -> None:
        """Drop a pin; it is no error if there is none."""
        remove(self.folder / "pins" / f"{check_name(name, 'pin')}.json")

    def pins(self) -> dict[str, list[str]]:
        """Return the pinned keys by the name of their pin.

        Raises:
            DataError: If a pin is damaged.
        """
        folder = self.folder / "pins"
        names = [name for name in listed(folder) if not name.startswith(".")]
        return {name.removesuffix(".json"): _pinned(folder / name) for name in names}

    def _failure(self, key: str) -> Path:
        return self.folder / "failures" / f"{check_key(key)}.txt"

    def _trusted(self, key: str, look: Callable[[Path], T]) -> T | None:
        folder = self.path(key)
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
        try:
            return look(folder)
        except DamageError as damage:
            self._set_aside(key, found, damage)
            return None

    def _set_aside(self, key: str, found: os.stat_result, damage: DamageError) -> None:
        folder, aside = self.path(key), self.folder / "aside"
        try:
            make_folder(aside)
            # Another process may have done so by now, and put a good one in its place.
            if os.path.samestat(found, folder.lstat()):
                folder.rename(aside / f"{key}-{uuid4().hex[:8]}")
        except FileNotFoundError:
            pass
        except (OSError, OutputError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutputError(
                f"{folder}: damaged ({damage}), and cannot be moved aside ({reason})"
            ) from None


def _pinned(path: Path) -> list[str]:
    try:
        return [check_key(key) for key in json.loads(read_plain(path, LARGE))["keys"]]
    except BAD_JSON as error:
        raise DataError(
            f"{path}: the pin is damaged ({reason(error)}); pin again or remove it"
        ) from None
