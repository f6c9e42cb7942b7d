"""Fetch published files: several mirrors, a known checksum, and no half files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final
from uuid import uuid4

from spikedoor.data.archive import unpack
from spikedoor.errors import MissingDataError, OutputError
from spikedoor.progress import bar

__all__ = ["Remote", "fetch"]

_TIMEOUT_S = 30
_CHUNK = 1 << 17


@final
@dataclass(frozen=True)
class Remote:
    """Describe a published file: what it must be, where it can be had, what it leaves.

    Args:
        file: Where it belongs below the data root, with forward slashes.
        size: Its exact size in bytes.
        md5: Its published checksum.
        mirrors: Addresses, tried in turn.
        members: For a tar archive, the files to take out of it, named as in the archive and put
            below the data root; the archive itself is not kept.
    """

    file: str
    size: int
    md5: str
    mirrors: tuple[str, ...]
    members: tuple[str, ...] = ()

    @property
    def provides(self) -> tuple[str, ...]:
        """Files below the data root that are there once it was fetched."""
        return self.members or (self.file,)


class _RejectedError(Exception):
    """What a mirror sent is not the file."""


@final
class _Sink:
    """A file that counts, hashes and limits what is written to it."""

    def __init__(self, file: BinaryIO, remote: Remote, advance: Callable[..., None]) -> None:
        self._file, self._remote, self._advance = file, remote, advance
        self._hash = hashlib.md5(usedforsecurity=False)
        self._count = 0

    def write(self, chunk: bytes) -> None:
        self._count += len(chunk)
        if self._count > self._remote.size:
            raise _RejectedError(f"expected {self._remote.size} bytes, found more")
        self._hash.update(chunk)
        self._file.write(chunk)
        self._advance(len(chunk))

    def flush(self) -> None:
        """Do nothing: `check` flushes once, and pooch asks for it after every chunk."""

    def check(self) -> None:
        if self._count != self._remote.size:
            raise _RejectedError(f"expected {self._remote.size} bytes, found {self._count}")
        found = self._hash.hexdigest()
        if found != self._remote.md5:
            raise _RejectedError(f"expected MD5 {self._remote.md5}, found {found}")
        self._file.flush()
        os.fsync(self._file.fileno())


def fetch(remote: Remote, root: Path) -> None:
    """Fetch a file, or the members of an archive, to below a data root.

    A mirror that does not answer, breaks off or sends something else is passed over. The file is
    written aside in its own folder and renamed when its size and checksum are right, so whatever
    bears the final name is whole.

    Args:
        remote: What to fetch.
        root: Data folder; made where missing.

    Raises:
        MissingDataError: If no mirror gave the file; it says what each one did.
        DataError: If the archive is not what it must be.
        OutputError: If the data folder cannot be written.
    """
    target = root / remote.file
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _first_good(remote, part)
            if remote.members:
                unpack(part, root, remote.members, name=target.name)
            else:
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {target}: {reason}") from None


def _first_good(remote: Remote, part: Path) -> None:
    """Leave the file at ``part``, from the first mirror that has it."""
    failures = []
    for url in remote.mirrors:
        try:
            _download(url, remote, part)
            return
        except _RejectedError as failure:
            failures.append(f"{url}: {failure}")
    raise MissingDataError(f"{remote.file}: no mirror gave the file; {'; '.join(failures)}")


def _download(url: str, remote: Remote, part: Path) -> None:
    import pooch
    import requests

    # A server that packs what it sends would be unpacked on arrival, and .gz files with it.
    get = pooch.HTTPDownloader(
        chunk_size=_CHUNK, timeout=_TIMEOUT_S, headers={"Accept-Encoding": "identity"}
    )
    with part.open("wb") as file, bar(Path(remote.file).name, total=remote.size) as advance:
        sink = _Sink(file, remote, advance)
        try:
            get(url, sink, None)
        except requests.HTTPError as error:
            status = getattr(error.response, "status_code", "an error")
            raise _RejectedError(f"answered {status}") from None
        except requests.Timeout:
            raise _RejectedError(f"no answer for {_TIMEOUT_S} s") from None
        except requests.RequestException as error:
            raise _RejectedError(f"connection failed ({type(error).__name__})") from None
        except ValueError:
            raise _RejectedError("sent a broken header") from None
        sink.check()
