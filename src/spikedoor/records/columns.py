"""What each column of a table is, told by the names of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spikedoor.errors import ConfigError, hint

__all__ = [
    "ABOUT_RUNS",
    "TIMES",
    "Value",
    "check_columns",
    "companions",
    "identification",
    "key",
    "measures",
]

Value = str | int | float | None
"""What a cell holds; None where there is nothing, or nothing defined."""

ABOUT_RUNS = ("runs", "missing", "status", "reason")
"""Columns that say whether there are values, and why not."""

TIMES = ("seconds", "seconds_to_best", "twin_seconds", "twin_seconds_to_best")
"""Columns with the time that a stage took: all of it, and until its kept epoch was done."""


def companions(measure: str) -> tuple[str, str, str]:
    """Return the names of a measure's limits and of its count."""
    return f"{measure}.low", f"{measure}.high", f"{measure}.count"


def measures(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the measures: the columns that have all three companions."""
    known = set(columns)
    return tuple(name for name in columns if known.issuperset(companions(name)))


def identification(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that say which run and stage a row is of."""
    other = {*ABOUT_RUNS, *TIMES}
    for name in measures(columns):
        other |= {name, *companions(name)}
    return tuple(name for name in columns if name not in other)


def check_columns(names: Iterable[str], columns: Sequence[str]) -> None:
    """Check that all names are columns.

    Raises:
        ConfigError: Naming the first that is not, and what is near.
    """
    derived = {part for name in measures(columns) for part in companions(name)}
    for name in names:
        if name not in columns:
            choices = [known for known in columns if known not in derived]
            raise ConfigError(f"unknown column '{name}'{hint(name, choices)}")


def key(value: Value) -> tuple[bool, Value]:
    """Return what is equal for equal values only; Python holds True and 1 for equal."""
    return isinstance(value, bool), value
