"""What each column of a table is, told by the names of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from spikedoor.errors import ConfigError, hint

__all__ = [
    "ABOUT_RUNS",
    "RANGES",
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

_SHARE, _RATIO = (0.0, 1.0), (0.0, math.inf)
RANGES: dict[str, tuple[float, float]] = {
    "clean_accuracy": _SHARE,
    "attack_success": _SHARE,
    "clean_model": _SHARE,
    "attack_success_all": _SHARE,
    "recovered_accuracy": _SHARE,
    "migration_ratio": _RATIO,
    "migration_retained": _SHARE,
    "firing_rate": _SHARE,
    "firing_rate_triggered": _SHARE,
    "auroc": _SHARE,
    "found_at_1": _SHARE,
    "found_at_5": _SHARE,
    "found": _SHARE,
    "false_alarms": _SHARE,
    "twin_false_alarms": _SHARE,
    "effectiveness": _SHARE,
    "operations": _RATIO,
}
"""The least and the largest value that each measure of ours can have."""


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
