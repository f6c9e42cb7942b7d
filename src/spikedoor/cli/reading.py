"""A sweep as it is read: planned from its file, or without torch by the index in its store."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedoor.records import Store
    from spikedoor.study import Campaign, Sweep
    from spikedoor.study.index import Index

__all__ = ["campaign_of", "command_of", "index_of", "sweep_of", "to_read"]


@contextmanager
def to_read(folder: Path) -> Iterator[Store]:
    """Yield the store of a folder, or an empty one where there is none yet."""
    import tempfile

    from spikedoor.records import Store

    if folder.exists():
        yield Store(folder, create=False)
        return
    with tempfile.TemporaryDirectory() as empty:
        yield Store(empty)


def sweep_of(file: Path, settings: list[str] | None) -> Sweep:
    """Return the sweep of a file."""
    from spikedoor.errors import ConfigError
    from spikedoor.study import load_sweep
    from spikedoor.study.sweep import is_sweep
    from spikedoor.study.toml import read_table

    if not is_sweep(file):
        found = "one experiment; see 'spikedoor run'" if read_table(file) else "no key in it"
        raise ConfigError(f"{file}: expected a sweep, found {found}")
    return load_sweep(file, tuple(settings or ()))


def campaign_of(file: Path, store: Store, settings: list[str] | None) -> Campaign:
    """Return the sweep of a file, planned on a store."""
    from spikedoor.study import Campaign

    return Campaign.of(sweep_of(file, settings), store)


def index_of(file: Path, store: Store, settings: list[str] | None) -> Index:
    """Return where the results of a sweep lie.

    To plan takes torch; where it is not installed, the index that the sweep left in its store
    serves, and then no data is read either.
    """
    if find_spec("torch") is not None:
        return campaign_of(file, store, settings).index
    from spikedoor.errors import MissingDataError
    from spikedoor.study.index import Index, identity

    found = Index.read(store, identity(file, settings or ()))
    if found is None:
        raise MissingDataError(
            f"{file}: torch is not installed, and the store {store.folder} has no index of this "
            "sweep as the file stands; 'spikedoor sweep' writes it, where torch is"
        )
    return found


def command_of(verb: str, file: Path, store: Path, settings: list[str] | None) -> str:
    """Return the command line of a verb about a sweep, with the settings and plug-ins of this."""
    from spikedoor.plugins import files

    parts = ["spikedoor", verb, str(file), "--store", str(store)]
    for option, values in (("--set", settings or ()), ("--plugin", map(relpath, files()))):
        parts += [part for value in values for part in (option, value)]
    return shlex.join(parts)
