"""What a run leaves behind; read and written without torch."""

from spikedoor.records.entry import Entry, FileInfo
from spikedoor.records.environment import describe
from spikedoor.records.garbage import Garbage, gc
from spikedoor.records.record import SCHEMA, Gallery, Record
from spikedoor.records.store import Store
from spikedoor.records.upkeep import Finding, Usage, sizes, verify

__all__ = [
    "SCHEMA",
    "Entry",
    "FileInfo",
    "Finding",
    "Gallery",
    "Garbage",
    "Record",
    "Store",
    "Usage",
    "describe",
    "gc",
    "sizes",
    "verify",
]
