"""Records as tables: for a terminal, for a pipe, for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich import box
from rich.table import Table

from spikedoor.metrics import Rate, Ratio, Scores
from spikedoor.records import Record

__all__ = ["Row", "label", "notes", "rows", "tables", "text", "to_json"]

_SHORT = {"direct": "LR_B", "conversion": "LR_C", "hybrid": "LR_H"}
_NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """One stage of one record, after one of its steps.

    Args:
        rule: Name of the learning rule.
        data: Name of the data set.
        stage: Name of the stage.
        scores: The victim's scores.
        twin: The clean twin's; None without a twin.
        seconds: Time it took to make the stage, where the record tells it.
        twin_seconds: The same of the twin's.
        to_best: Time until the kept epoch was done, where the stage was trained.
        twin_to_best: The same of the twin's.
        firing: Firing rates of the neurons on clean and on triggered samples, in spikes a neuron
            and step; None where there are none.
    """

    rule: str
    data: str
    stage: str
    scores: Scores
    twin: Scores | None
    seconds: float | None
    twin_seconds: float | None
    to_best: float | None = None
    twin_to_best: float | None = None
    firing: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "rule": self.rule,
            "dataset": self.data,
            "stage": self.stage,
            **self.scores.to_dict(),
            "twin": self.twin.to_dict() if self.twin else None,
            "seconds": self.seconds,
            "twin_seconds": self.twin_seconds,
            "seconds_to_best": self.to_best,
            "twin_seconds_to_best": self.twin_to_best,
            "firing_rate": self.firing[0] if self.firing else None,
            "firing_rate_triggered": self.firing[1] if self.firing else None,
        }


def label(rule: str) -> str:
    """Return a rule's name after the short form of its family, such as ``LR_B direct``."""
    return f"{_SHORT[rule]} {rule}" if rule in _SHORT else rule


_DETECTION = {
    "auroc": "AUROC",
    "found_at_1": "found where 1 % of the clean are flagged",
    "found_at_5": "where 5 % are",
    "found": "at its own threshold found",
    "false_alarms": "false alarms",
    "twin_false_alarms": "false alarms on the clean twin",
}


def rows(records: Iterable[Record], every_step: bool = False) -> list[Row]:
    """Return one row for each stage of each record, in order.

    Args:
        records: What to show.
        every_step: Return a row for each time step of a stage, not for the last alone.
    """
    return [
        _row(record, stage, step)
        for record in records
        for stage in record.evaluation.stages
        for step in _steps(record.evaluation.answers[stage].steps, every_step)
    ]


def _steps(last: int, every_step: bool) -> range:
    return range(1, last + 1) if every_step else range(last, last + 1)


def _row(record: Record, stage: str, step: int) -> Row:
    about, twin = record.stages[stage], record.twin_stages.get(stage, {})
    firing = record.activity.get(stage)
    return Row(
        record.rule,
        record.data["name"],
        stage,
        record.evaluation.scores(stage, step),
        record.evaluation.twin_scores(stage, step),
        about.get("seconds"),
        twin.get("seconds"),
        about.get("training", {}).get("seconds_to_best"),
        twin.get("training", {}).get("seconds_to_best"),
        (firing["clean"]["rate"][step - 1], firing["triggered"]["rate"][step - 1])
        if firing
        else None,
    )


def to_json(records: Iterable[Record], every_step: bool = False) -> list[dict[str, Any]]:
    """Return what `text` shows as plain values."""
    return [
        {
            "rule": record.rule,
            "seed": record.experiment["seed"],
            "data": record.data,
            "poison": record.poison,
            "rows": [row.to_dict() for row in rows([record], every_step)],
        }
        for record in records
    ]


def notes(records: Sequence[Record]) -> list[str]:
    """Return what a reader of the table must know: the poison, and what the columns mean."""
    found = list(dict.fromkeys(_poison(record) for record in records))
    return [
        *found,
        *(_detection(record) for record in records if record.defence),
        "Rates with 95 % intervals. ASR: triggered samples of other classes that are taken for the "
        "target; clean model: the same of the twin trained without poison; migration: ASR of the "
        "SNN over ASR of its ANN (ratio), and samples fooling the ANN that still fool the SNN "
        "(retained); firing: spikes a neuron and step, on clean and on triggered samples; seconds: "
        "to make the stage, until the kept epoch was done, and both of the twin.",
    ]


def _poison(record: Record) -> str:
    data, poison = record.data, record.poison
    classes = ", ".join(
        f"{100 * rate:.1f} % of those labelled '{name}'"
        for name, rate in poison["class_rate"].items()
    )
    share = f"{100 * poison['set_rate']:.2f} % of the set" + (f", {classes}" if classes else "")
    cover = ""
    if poison.get("cover_count"):
        cover = f"; cover: {poison['cover_count']:,} ({100 * poison['cover_set_rate']:.2f} %)"
    return (
        f"{data['name']}, {data['train']:,} training and {data['test']:,} test samples; "
        f"poisoned: {poison['count']:,} ({share}){cover}; seed {record.experiment['seed']}."
    )


def _detection(record: Record) -> str:
    """Return in a sentence what a detector found."""
    told = record.defence
    shares = []
    for name, measure in told["measures"].items():
        if measure["value"] is not None:
            scale, unit = (1, "") if name == "auroc" else (100, " %")
            value, low, high = (scale * measure[key] for key in ("value", "low", "high"))
            digits = 3 if name == "auroc" else 1
            shares.append(
                f"{_DETECTION[name]} {value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"
                f" n={measure['count']}"
            )
    return f"{told['plan']['method']['name']} on stage {told['stage']}: {'; '.join(shares)}."


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
