"""The mean over seeds: one row for each group of rows that differ in nothing else."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from spikedoor.errors import ConfigError, hint
from spikedoor.metrics import mean_interval
from spikedoor.metrics.seeds import EVERYWHERE
from spikedoor.records.columns import (
    ABOUT_RUNS,
    RANGES,
    TIMES,
    Value,
    check_columns,
    companions,
    identification,
    key,
    measures,
)

__all__ = ["group_columns", "mean_rows"]

Row = Mapping[str, Value]


def group_columns(
    columns: Sequence[str], by: Sequence[str] | None, over: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns that make the groups: ``by``, else all that identify but ``over``.

    Raises:
        ConfigError: If a column is unknown, does not identify rows, or is in both.
    """
    known = identification(columns)
    check_columns([*over, *(by or ())], columns)
    for name in [*over, *(by or ())]:
        if name not in known:
            raise ConfigError(
                f"mean: '{name}' does not identify runs, it is measured{hint(name, known)}"
            )
    if both := set(by or ()) & set(over):
        raise ConfigError(f"mean: '{min(both)}' cannot be both grouped by and averaged over")
    return tuple(dict.fromkeys(by)) if by is not None else tuple(n for n in known if n not in over)


def mean_rows(
    columns: Sequence[str], rows: Sequence[Row], by: Sequence[str], over: Sequence[str]
) -> tuple[tuple[str, ...], list[dict[str, Value]]]:
    """Return the columns and rows of the means, groups in the order of their first rows.

    Raises:
        ConfigError: If there is no measure, or a group's rows differ in more than ``over``.
    """
    names = measures(columns)
    if not names:
        raise ConfigError("mean: the table has no measure to average")
    times = tuple(name for name in TIMES if name in columns)
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(key(row[name]) for name in by), []).append(row)
    also = [n for n in identification(columns) if n not in by and n not in over]
    means: list[dict[str, Value]] = []
    for group in groups.values():
        _check(group, also, over)
        mean: dict[str, Value] = {name: group[0][name] for name in by} | _about(group, names)
        for name in names:
            mean |= _mean(group, name)
        for name in times:
            known = [v for row in group if isinstance(v := row[name], (int, float))]
            mean[name] = statistics.fmean(known) if known else None
        means.append(mean)
    made = chain.from_iterable((name, *companions(name)) for name in names)
    return (*by, *ABOUT_RUNS[:2], *made, *times, *ABOUT_RUNS[2:]), means


def _check(group: Sequence[Row], also: Sequence[str], over: Sequence[str]) -> None:
    """Refuse a group with anything beside ``over`` in it: its interval would mean nothing."""
    title = f"mean over {', '.join(over)}"
    for name in also:
        values = {key(row[name]): row[name] for row in group}
        if len(values) > 1:
            first, second, *_ = values.values()
            raise ConfigError(
                f"{title}: one group has rows of '{name}' {first} and {second}; "
                "group by it too, or filter for one"
            )
    seen: set[tuple[object, ...]] = set()
    for row in group:
        place = tuple(key(row[name]) for name in over)
        if place in seen:
            told = ", ".join(f"{name}={row[name]}" for name in over)
            raise ConfigError(f"{title}: one group has two rows with {told}")
        seen.add(place)


def _mean(group: Sequence[Row], name: str) -> dict[str, Value]:
    """Return a measure's mean with Student's interval; of a single run, its own interval."""
    low, high, count = companions(name)
    having = [(row, value) for row in group if isinstance(value := row[name], (int, float))]
    if not having:
        return {name: None, low: None, high: None, count: 0}
    found = mean_interval((value for _, value in having), RANGES.get(name, EVERYWHERE))
    row = having[0][0]
    limits = (row[low], row[high]) if found.count == 1 else found.interval
    return {name: found.value, low: limits[0], high: limits[1], count: found.count}


def _about(group: Sequence[Row], names: Sequence[str]) -> dict[str, Value]:
    runs = sum(any(row[name] is not None for name in names) for row in group)
    states = [row.get("status") or "done" for row in group]
    reasons = {
        str(row.get("reason") or state): None
        for row, state in zip(group, states, strict=True)
        if state != "done" or row.get("reason")
    }
    return {
        "runs": runs,
        "missing": len(group) - runs,
        "status": states[0] if len(set(states)) == 1 else "partial",
        "reason": "; ".join(reasons) or None,
    }
