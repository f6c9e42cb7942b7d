"""A table as a frame of pandas, and as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedoor.errors import ConfigError
from spikedoor.files import write_file
from spikedoor.records.columns import TIMES, Value, companions, measures

if TYPE_CHECKING:
    import pandas

    from spikedoor.records.query import Table

__all__ = ["to_frame", "write_parquet"]

_INT64 = range(-(2**63), 2**63)


def to_frame(table: Table) -> pandas.DataFrame:
    """Return a frame; see `Table.to_frame`."""
    pandas = _optional("pandas")
    kinds = _kinds(table)
    return pandas.DataFrame(
        {
            name: pandas.array(_cells([row[name] for row in table.rows], kind), dtype=kind)
            for name, kind in kinds.items()
        },
        columns=list(table.columns),
    )


def write_parquet(table: Table, path: str | Path) -> None:
    """Write a Parquet file; see `Table.parquet`."""
    _optional("pyarrow")
    frame, buffer = to_frame(table), io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    write_file(path, buffer.getvalue())


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(
            f"this needs {name}, which is not installed; pip install 'spikedoor[frames]'"
        ) from None


def _kinds(table: Table) -> dict[str, str]:
    """Return the type of each column: by its name where that tells it, else by its values."""
    fixed = {"runs": "Int64", "missing": "Int64", **dict.fromkeys(TIMES, "float64")}
    for name in measures(table.columns):
        low, high, count = companions(name)
        fixed |= {name: "float64", low: "float64", high: "float64", count: "Int64"}
    return {
        name: fixed.get(name) or _kind([row[name] for row in table.rows]) for name in table.columns
    }


def _kind(values: Sequence[Value]) -> str:
    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(value in _INT64 for value in known):
        return "Int64"
    return "float64" if float in kinds and kinds <= {int, float} else "string"


def _cells(values: Sequence[Value], kind: str) -> list[Any]:
    if kind == "string":
        return [None if value is None else str(value) for value in values]
    if kind == "float64":
        return [float("nan") if value is None else float(value) for value in values]
    return list(values)
