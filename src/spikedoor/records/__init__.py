"""What a run leaves behind; read and written without torch."""

from spikedoor.records.environment import describe
from spikedoor.records.query import Table
from spikedoor.records.record import SCHEMA, Gallery, Record

__all__ = ["SCHEMA", "Gallery", "Record", "Table", "describe"]
