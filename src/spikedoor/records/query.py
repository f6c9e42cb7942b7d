"""Flat rows to filter, group, average and print: what a sweep is looked at with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from spikedoor.errors import ConfigError
from spikedoor.records import formats, frames
from spikedoor.records.averages import group_columns, mean_rows
from spikedoor.records.columns import (
    ABOUT_RUNS,
    Value,
    check_columns,
    companions,
    identification,
    measures,
)
from spikedoor.records.conditions import Condition

if TYPE_CHECKING:
    import pandas

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Rows with the same columns; every operation returns a new table.

    A column ``x`` with the companions ``x.low``, ``x.high`` and ``x.count`` is a measure, a share
    with its 95 % interval. The `TIMES`, ``status`` ("done", "diverged", "missing") and ``reason``
    tell of the run; all others identify the row.

    Args:
        columns: Names in order.
        rows: Plain values by column; what a row lacks, or what is not a number (nan), is None.

    Raises:
        ConfigError: If a value is neither text, number, true, false nor None.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Value], ...]

    def __post_init__(self) -> None:
        plain = tuple({n: _plain(n, row.get(n)) for n in self.columns} for row in self.rows)
        object.__setattr__(self, "rows", plain)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Value]]) -> Self:
        """Make a table with all columns of the rows, those that identify first."""
        rows = tuple(dict(row) for row in rows)
        found = tuple(dict.fromkeys(name for row in rows for name in row))
        return cls(tuple(dict.fromkeys((*identification(found), *found))), rows)

    def where(self, *conditions: str) -> Table:
        """Return the rows for which all conditions hold.

        Args:
            conditions: ``column=value`` with one of ``= != < <= > >=``, or
                ``column in value,value``; see `Condition` for what compares with what.

        Raises:
            ConfigError: If a condition has another form, names an unknown column, or compares
                numbers with text.
        """
        kept = [True] * len(self.rows)
        for condition in map(Condition.parse, conditions):
            check_columns([condition.column], self.columns)
            held = condition.hold([row[condition.column] for row in self.rows])
            kept = [before and now for before, now in zip(kept, held, strict=True)]
        return Table(self.columns, tuple(compress(self.rows, kept)))

    def select(self, *columns: str) -> Table:
        """Return these columns, in this order.

        A measure brings its companions, and the columns that say why there is no value.
        """
        check_columns(columns, self.columns)
        known = measures(self.columns)
        wanted: list[str] = []
        for name in columns:
            wanted += [name, *companions(name)] if name in known else [name]
        if set(columns) & set(known):
            wanted += [name for name in ABOUT_RUNS if name in self.columns]
        return Table(tuple(dict.fromkeys(wanted)), self.rows)

    def sort(self, *columns: str) -> Table:
        """Return the rows in order of the columns, the first before all.

        Numbers come before text, and rows without a value last. ``-column`` turns the order round.
        """
        check_columns([name.removeprefix("-") for name in columns], self.columns)
        rows = list(self.rows)
        for name in reversed(columns):
            column = name.removeprefix("-")
            having = [row for row in rows if row[column] is not None]
            having.sort(key=lambda row: _rank(row[column]), reverse=name.startswith("-"))
            rows = having + [row for row in rows if row[column] is None]
        return Table(self.columns, tuple(rows))

    def mean(self, by: Sequence[str] | None = None, over: str | Sequence[str] = "seed") -> Table:
        """Return one row for each group, with the means of its measures.

        A measure gets Student's 95 % interval, cut at the ends of what can be (0 and 1 of a share),
        and as count the number of runs that have it; of a single run, the interval stays that of
        its own samples. ``runs`` and ``missing`` are the
        numbers of runs with and without any value, ``reason`` says why, and ``status`` is
        "partial" where the runs of a group have not all the same.

        Args:
            by: Columns that make the groups; all that identify, but ``over``, by default.
            over: The column, or columns, in which the rows of a group differ.

        Raises:
            ConfigError: If a column is unknown, or the rows of a group differ in anything else.
        """
        over = (over,) if isinstance(over, str) else tuple(over)
        groups = group_columns(self.columns, by, over)
        columns, rows = mean_rows(self.columns, self.rows, groups, over)
        return Table(columns, tuple(rows))

    def text(self, width: int | None = None) -> str:
        """Return aligned plain text, a line a row.

        What identifies all rows alike is told in a line above.

        Args:
            width: Where given, measures that do not fit into so many characters follow below.
        """
        return formats.text(self, width)

    def csv(self) -> str:
        """Return all columns as CSV (RFC 4180), with numbers in full; None is empty."""
        return formats.csv_text(self)

    def markdown(self) -> str:
        """Return what `text` shows as a table for Markdown, GitHub's."""
        return formats.markdown(self)

    def latex(self) -> str:
        """Return what `text` shows as a ``tabular`` for LaTeX, with booktabs."""
        return formats.latex(self)

    def to_frame(self) -> pandas.DataFrame:
        """Return all columns as a frame of pandas.

        Rates are float64, whole numbers Int64, true and false boolean, all else text.

        Raises:
            ConfigError: If pandas is not installed.
        """
        return frames.to_frame(self)

    def parquet(self, path: str | Path) -> None:
        """Write the frame as a Parquet file, whole or not at all.

        Raises:
            ConfigError: If pandas or pyarrow is not installed.
            OutputError: If the file cannot be written.
        """
        frames.write_parquet(self, path)


def _plain(column: str, value: Value) -> Value:
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if value is None or isinstance(value, (str, int)):
        return value
    raise ConfigError(f"column '{column}': expected text, a number, a truth or None, got {value!r}")


def _rank(value: Value) -> tuple[bool, Value]:
    return isinstance(value, str), value
