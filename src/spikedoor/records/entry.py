"""An entry of the store: what was made, from what, and the checksums of its files."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from spikedoor.data.files import sha256
from spikedoor.errors import ConfigError, DataError
from spikedoor.files import read_plain
from spikedoor.registry import explainable

__all__ = [
    "ENTRY_FILE",
    "DamageError",
    "Entry",
    "FileInfo",
    "artefacts",
    "check_key",
    "check_name",
    "encode",
    "is_key",
    "load",
]

ENTRY_FILE = "entry.json"
_LIMIT = 64 << 20
_KEY = r"^[0-9a-f]{64}$"
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

_Key = Annotated[str, StringConstraints(pattern=_KEY)]
_Name = Annotated[str, StringConstraints(pattern=_NAME)]

# Troubles of the process or the machine, which say nothing about what is on the disk.
_PASSING = {
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


class DamageError(DataError):
    """An entry is not what was written."""


@dataclass(frozen=True)
class FileInfo:
    """Checksum (SHA-256, hexadecimal) and size in bytes of a file."""

    sha256: _Key
    size: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Entry:
    """The result of one stage.

    Args:
        key: 64 hexadecimal digits that stand for all that decides the result.
        kind: What it is, such as ``ann`` or ``answers``.
        config: The plain values that decided it, with the version of the stage.
        inputs: By name, the keys of the entries it was made from.
        seconds: Wall-clock time it took to make it.
        created: UTC time it was written, ISO 8601.
        environment: Versions, processor, threads.
        files: Its artefacts by name.
    """

    key: _Key
    kind: _Name
    config: dict[str, Any]
    inputs: dict[str, _Key]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    created: str
    environment: dict[str, Any]
    files: dict[_Name, FileInfo]

    @property
    def size(self) -> int:
        """Bytes of all its artefacts."""
        return sum(info.size for info in self.files.values())


_ENTRY = TypeAdapter(Entry)


def is_key(text: str) -> bool:
    """Tell whether a text is 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and bool(re.fullmatch(_KEY.strip("^$"), text))


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        ConfigError: If it is not 64 lower-case hexadecimal digits.
    """
    if not is_key(key):
        raise ConfigError(f"store: expected a key of 64 lower-case hex digits, got {key!r:.80}")
    return key


def check_name(name: str, what: str) -> str:
    """Return the name of a file, kind or pin.

    Raises:
        ConfigError: If it is no plain file name.
    """
    if not isinstance(name, str) or not re.fullmatch(_NAME.strip("^$"), name):
        raise ConfigError(
            f"store: expected a name for the {what} of 1 to 100 letters, digits, '_', '.' and '-', "
            f"the first no dot or hyphen, got {name!r:.80}"
        )
    return name


def encode(entry: Entry) -> bytes:
    """Return the content of ``entry.json``: the entry under its own checksum.

    Raises:
        ConfigError: If it would not come back as it is, say for a tuple or a NaN in it.
    """
    try:
        text = json.dumps(asdict(entry), indent=1, ensure_ascii=False, allow_nan=False)
        content = _seal(text.encode())
        returns = len(content) <= _LIMIT and _decode(content) == entry
    except (TypeError, ValueError, RecursionError, DamageError) as error:
        raise ConfigError(f"store: the {entry.kind} cannot be kept ({error!s:.300})") from None
    if not returns:
        raise ConfigError(
            f"store: the {entry.kind} cannot be kept: expected plain JSON values (no tuples, keys "
            f"that are strings) of at most {_LIMIT >> 20} MB"
        )
    return content


def load(folder: Path, key: str) -> Entry:
    """Read ``entry.json`` of a folder, and none of the artefacts.

    Raises:
        DamageError: If it is missing, damaged, or of another key.
        DataError: If it cannot be read for another reason.
    """
    if folder.is_symlink():
        raise DamageError("a link, which the store does not follow")
    entry = _decode(_content(folder / ENTRY_FILE, _LIMIT))
    if entry.key != key:
        raise DamageError(f"{ENTRY_FILE}: belongs to the key {entry.key}")
    return entry


def artefacts(folder: Path, entry: Entry, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read artefacts one after the other.

    Raises:
        DamageError: If one is missing or not what was written.
        DataError: If one cannot be read for another reason.
    """
    for name in names:
        told = entry.files[name]
        content = _content(folder / name, told.size)
        if len(content) != told.size:
            raise DamageError(f"{name}: expected {told.size} bytes, found {len(content)}")
        if sha256(content) != told.sha256:
            raise DamageError(f"{name}: the checksum does not match")
        yield name, content


def _seal(entry: bytes) -> bytes:
    return b'{"sha256": "%s",\n"entry": %s}\n' % (sha256(entry).encode(), entry)


_BEFORE, _AFTER = len(_seal(b"")) - 2, 2


def _decode(content: bytes) -> Entry:
    sealed = content[_BEFORE:-_AFTER]
    if _seal(sealed) != content:
        raise DamageError(f"{ENTRY_FILE}: the checksum does not match")
    try:
        return _ENTRY.validate_json(sealed, strict=True)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, place))}: {text}" for place, text in explainable(error)]
        raise DamageError(f"{ENTRY_FILE}: {'; '.join(found):.300}") from None


def _content(path: Path, limit: int) -> bytes:
    try:
        return read_plain(path, limit)
    except OSError as error:
        if error.errno in _PASSING:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        raise DamageError(f"{path.name}: {error.strerror}") from None
