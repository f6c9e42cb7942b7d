"""Records as tables: for a terminal, and for a pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from rich import box
from rich.table import Table

from spikedoor.metrics import Rate, Ratio, Scores
from spikedoor.records import Record
from spikedoor.report.rows import Row, label, notes, rows

__all__ = ["tables", "text"]

_NOTHING = "–"


def text(records: Sequence[Record], every_step: bool = False) -> str:
    """Return the table as aligned plain text, a line a row, with its notes."""
    found = rows(records, every_step)
    lines = [["rule", "stage", "T", *(title for title, _ in _COLUMNS)]]
    for row, name in zip(found, _named(found), strict=True):
        cells = [" ".join(cell(row)) for _, cell in _COLUMNS]
        lines.append([name, row.stage, str(row.scores.step), *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*table, "", *notes(records)])


def tables(records: Sequence[Record], width: int = 120, every_step: bool = False) -> list[Table]:
    """Return the table for a terminal; on a narrow one it comes in parts that fit.

    Args:
        records: What to show.
        width: Columns of the terminal.
        every_step: Show each time step.
    """
    found = rows(records, every_step)
    parts, rest = [], _COLUMNS
    while rest:
        shown = (_table(found, rest[:count]) for count in range(len(rest), 0, -1))
        fitting = next((one for one in shown if _width(one) <= width), _table(found, rest[:1]))
        parts.append(fitting)
        rest = rest[len(fitting.columns) - len(_FIXED) :]
    return parts


_Cell = Callable[[Row], tuple[str, ...]]


def _rate(rate: Rate | Ratio | None, otherwise: str = _NOTHING) -> tuple[str, ...]:
    """Return the lines of a cell: value and count, and the interval."""
    if rate is None:
        return (otherwise,)
    if not (rate.second if isinstance(rate, Ratio) else rate.count):
        return ("undefined", f"n={rate.count}")
    low, high = rate.interval
    return (
        f"{100 * rate.value:.1f} %",
        f"[{100 * low:.1f}, {100 * high:.1f}]",
        f"n={rate.count}",
    )


def _success(scores: Scores | None) -> tuple[str, ...]:
    if scores is None:
        return (_NOTHING,)
    return _rate(scores.attack_success, "diverged" if scores.diverged else _NOTHING)


def _firing(row: Row) -> tuple[str, ...]:
    if row.firing is None:
        return (_NOTHING,)
    clean, triggered = row.firing
    return (f"{100 * clean:.1f} %", f"{100 * triggered:.1f} %")


def _seconds(row: Row) -> tuple[str, ...]:
    if row.seconds is None:
        return (_NOTHING,)
    own = _time(row.seconds, row.to_best)
    twin = (
        () if row.twin_seconds is None else (f"twin {_time(row.twin_seconds, row.twin_to_best)}",)
    )
    return (own, *twin)


def _time(seconds: float, to_best: float | None) -> str:
    return f"{seconds:.1f}" if to_best is None else f"{seconds:.1f} (best {to_best:.1f})"


_COLUMNS: tuple[tuple[str, _Cell], ...] = (
    ("clean accuracy", lambda row: _rate(row.scores.clean_accuracy)),
    ("ASR", lambda row: _success(row.scores)),
    ("clean model", lambda row: _success(row.twin)),
    ("migration ratio", lambda row: _rate(row.scores.migration_ratio)),
    ("migration retained", lambda row: _rate(row.scores.migration_retained)),
    ("firing rate", _firing),
    ("seconds", _seconds),
)


_FIXED: dict[str, Literal["left", "right"]] = {"rule": "left", "stage": "left", "T": "right"}


def _table(found: list[Row], columns: Sequence[tuple[str, _Cell]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for title, side in _FIXED.items():
        table.add_column(title, justify=side, no_wrap=True)
    for title, _ in columns:
        table.add_column(title.replace(" ", "\n"), justify="right", no_wrap=True)
    for i, (row, name) in enumerate(zip(found, _named(found), strict=True)):
        same = i > 0 and _goes_on(found[i - 1], row)
        cells = ["\n".join(_stacked(cell(row))) for _, cell in columns]
        rule = "" if same else name.replace(" ", "\n", 1)
        last = i + 1 == len(found) or not _goes_on(row, found[i + 1])
        table.add_row(rule, row.stage, str(row.scores.step), *cells, end_section=last)
    return table


def _goes_on(before: Row, row: Row) -> bool:
    """Whether a row can be of the same record as the one before: of a later stage or step."""
    if (before.rule, before.data) != (row.rule, row.data):
        return False
    return before.stage != row.stage or before.scores.step < row.scores.step


def _named(found: Sequence[Row]) -> list[str]:
    """Return the name of each row's rule, with the data set where there are several."""
    several = len({row.data for row in found}) > 1
    return [f"{label(row.rule)}, {row.data}" if several else label(row.rule) for row in found]


def _stacked(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Put value and count on one line, the interval below, dimmed."""
    if len(lines) < 3:
        return lines
    value, interval, count = lines
    return f"[bold]{value}[/bold] {count}", rf"[dim]\{interval}[/dim]"


def _width(table: Table) -> int:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=1000)
    return Measurement.get(console, console.options, table).maximum
