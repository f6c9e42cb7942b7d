"""What a table shows to a reader, whatever the format: which columns, and what in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spikedoor.records.columns import TIMES, Value, companions, identification, key, measures

if TYPE_CHECKING:
    from spikedoor.records.query import Table

__all__ = ["NOTHING", "Column", "Estimate", "Layout", "layout", "plain"]

NOTHING = "–"
_OF_SAMPLES = "Rates with the 95 % interval of their test samples."
_OF_RUNS = (
    "Means over n runs with Student's 95 % interval, cut at 0 and 100 %; with n=1, that of the "
    "run's test samples."
)


@dataclass(frozen=True)
class Estimate:
    """A rate and its limits; ``runs`` where it is over fewer runs than its row says."""

    value: float
    low: float | None
    high: float | None
    runs: int | None = None


@dataclass(frozen=True)
class Column:
    """A name and its cells, from top to bottom."""

    name: str
    cells: tuple[str | Estimate, ...]
    identifies: bool = False
    measure: bool = False
    right: bool = False


@dataclass(frozen=True)
class Layout:
    """What all rows share, the columns, and what the reader must know of the numbers."""

    shared: str
    columns: tuple[Column, ...]
    note: str


def layout(table: Table) -> Layout:
    """Lay a table out: what identifies, number of runs, measures, seconds, remarks.

    A column that is the same in all rows goes into ``shared``; a measure that no row has, and
    remarks where there are none, are left out.
    """
    names = identification(table.columns)
    columns = [_identifying(table, name) for name in names if not _same(table, name)]
    if "runs" in table.columns:
        columns.append(Column("runs", tuple(_runs(row) for row in table.rows), identifies=True))
    columns += [_measure(table, name) for name in measures(table.columns) if _has(table, name)]
    for name in TIMES:
        if _has(table, name):
            cells = tuple(_seconds(row[name]) for row in table.rows)
            columns.append(Column(name, cells, right=True))
    if any(remarks := tuple(_remark(row) for row in table.rows)):
        columns.append(Column("remarks", remarks))
    if not columns:
        return Layout("", tuple(_identifying(table, name) for name in names), _note(table))
    return Layout(_shared(table, names), tuple(columns), _note(table))


def _identifying(table: Table, name: str) -> Column:
    values = [row[name] for row in table.rows]
    right = all(value is None or isinstance(value, (int, float)) for value in values)
    return Column(name, tuple(plain(value) for value in values), identifies=True, right=right)


def _same(table: Table, name: str) -> bool:
    return len({key(row[name]) for row in table.rows}) == 1


def _shared(table: Table, names: Sequence[str]) -> str:
    same = [(name, table.rows[0][name]) for name in names if _same(table, name)]
    return ", ".join(f"{name}={plain(value)}" for name, value in same if value is not None)


def _note(table: Table) -> str:
    if not table.rows:
        return "No rows."
    if not any(_has(table, name) for name in measures(table.columns)):
        return ""
    return _OF_RUNS if "runs" in table.columns else _OF_SAMPLES


def plain(value: Value) -> str:
    """Return a value as text on one line, without control characters."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return " ".join(text.split())


def _has(table: Table, name: str) -> bool:
    """Return whether any row has a value there; without rows, all do."""
    return name in table.columns and (
        not table.rows or any(row[name] is not None for row in table.rows)
    )


def _measure(table: Table, name: str) -> Column:
    cells = tuple(_estimate(row, name) for row in table.rows)
    return Column(name, cells, measure=True, right=True)


def _estimate(row: Mapping[str, Value], name: str) -> str | Estimate:
    value, low, high, count = (row[n] for n in (name, *companions(name)))
    if value is None:
        return "missing" if row.get("status") == "missing" else NOTHING
    fewer = "runs" in row and count != row["runs"]
    return Estimate(
        float(value),
        None if low is None else float(low),
        None if high is None else float(high),
        int(count) if fewer and count is not None else None,
    )


def _runs(row: Mapping[str, Value]) -> str:
    missing = f", {row['missing']} missing" if row.get("missing") else ""
    return f"n={row['runs']}{missing}"


def _seconds(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, (int, float)) else NOTHING


def _remark(row: Mapping[str, Value]) -> str:
    """Return why there are no values, or not all, as in ``missing: not run yet``."""
    status, reason = row.get("status"), row.get("reason")
    told = [plain(part) for part in dict.fromkeys((status, reason)) if part not in (None, "done")]
    return ": ".join(told)
