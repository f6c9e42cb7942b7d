"""Upkeep of a store: are its entries whole, and what takes the room."""

from __future__ import annotations

import os
from dataclasses import dataclass

from spikedoor.errors import DataError
from spikedoor.progress import bar
from spikedoor.records.entry import DamageError, artefacts, load
from spikedoor.records.store import Store

__all__ = ["Finding", "Usage", "sizes", "verify"]


@dataclass(frozen=True)
class Finding:
    """An entry that is not whole; its kind is None where ``entry.json`` does not tell it."""

    key: str
    kind: str | None
    problem: str


@dataclass(frozen=True)
class Usage:
    """Count of entries, and bytes of their files."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.count + other.count, self.bytes + other.bytes)


def verify(store: Store, repair: bool = False) -> list[Finding]:
    """Check every entry against its checksums, and return what is wrong.

    Args:
        store: What to check.
        repair: Whether to move damaged entries aside; they count as not computed from then on.
    """
    findings: list[Finding] = []
    keys = list(store.keys())
    with bar("verify", total=len(keys)) as advance:
        for key in keys:
            if finding := _check(store, key, repair):
                findings.append(finding)
            advance()
    return findings


def _check(store: Store, key: str, repair: bool) -> Finding | None:
    folder, kind = store.path(key), None
    try:
        entry = load(folder, key)
        kind = entry.kind
        for _ in artefacts(folder, entry, entry.files):
            pass
    except DataError as error:
        if not os.path.lexists(folder):
            return None  # removed meanwhile
        if repair and isinstance(error, DamageError):
            store.read(key)
        return Finding(key, kind, str(error))
    return None


def sizes(store: Store) -> dict[str, Usage]:
    """Return by kind how many entries there are and how large their artefacts are together."""
    found: dict[str, Usage] = {}
    for entry in store.entries():
        found[entry.kind] = found.get(entry.kind, Usage()) + Usage(1, entry.size)
    return dict(sorted(found.items()))
