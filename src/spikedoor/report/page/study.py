"""What a page says of a study: many experiments as rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from spikedoor.errors import ConfigError
from spikedoor.records.columns import companions, measures
from spikedoor.records.display import layout
from spikedoor.records.query import Table
from spikedoor.report.charts.overhead import times
from spikedoor.report.charts.series import TITLES, Row
from spikedoor.report.page.board import (
    axes_of,
    boards,
    final_rows,
    named_by,
    share,
    telling,
)
from spikedoor.report.page.content import Content, cell, filled, point
from spikedoor.report.rows import label

__all__ = ["of_study"]

_SHOWN = (
    "clean_accuracy", "attack_success", "clean_model", "migration_ratio", "migration_retained",
    "auroc", "found_at_5", "false_alarms", "twin_false_alarms", "effectiveness",
)  # fmt: skip


def of_study(
    name: str,
    table: Table,
    command: str,
    steps: Table | None = None,
    triggers: dict[str, Any] | None = None,
) -> Content:
    """Return what a page says of a study.

    Args:
        name: What the study is called.
        table: Its rows, of single seeds or of means; see `Table`.
        command: What repeats it.
        steps: The same after every step, for a study that does not vary the steps itself.
        triggers: Galleries and players, as a section of a page has them.

    Raises:
        ConfigError: If there are no rows.
    """
    rows = table.rows
    if not rows:
        raise ConfigError(f"{name}: expected one row of results or more, got none")
    axes, final = axes_of(table.columns, rows), final_rows(table)
    own = telling(axes_of(table.columns, final), final)
    converted = [row for row in (steps or table).rows if row.get("stage") == "converted"]
    along = telling(axes_of((steps or table).columns, converted), converted)
    sections = [
        {"title": "Poison rate", "charts": _over(final, own, "attack.rate", _RATES)},
        {"title": "Migration by time steps", "charts": _over(converted, along, "T", _MIGRATION)},
        {"title": "Detectors", "charts": _detectors(final, own)},
        {"title": "What a repair leaves", "note": _TRADE, "charts": _repairs(final, own)},
        *boards(table),
        {"title": "The triggers", **(triggers or {})},
        {"title": "Time", "note": _TIME, "charts": _overhead(table)},
        {"title": "Every row", "note": layout(table).note, "table": _table(table, axes)},
        {"title": "To do it again", "texts": [{"title": "Command", "text": command, "open": True}]},
    ]
    return Content(
        name,
        "Which rules, triggers and defences were compared, and what came of it?",
        _verdict(final, own),
        filled(sections),
    )


_RATES = ("attack_success", "clean_accuracy")
_MIGRATION = ("migration_ratio", "attack_success", "clean_accuracy")
_INKS = {"clean accuracy": "a", "ASR": "b", "migration ratio": "c"}
"""Colours as on the page of a run."""
_CROWD = 6
"""Lines above which each has a chart of its own."""
_TIME = "Mean seconds to make each stage; one that many experiments share counts once."
_TRADE = (
    "Up and to the left is better: accuracy kept, backdoor gone. Bars are 95 % intervals of both."
)


def _verdict(rows: Sequence[Row], axes: Sequence[str]) -> str:
    """Return how far the attacks got, what repairs left of them, and how many rows are missing."""
    repaired = [row for row in rows if row.get("stage") == "repaired"]
    attacked = [row for row in rows if row.get("stage") != "repaired"]
    victims = [c for c in axes if not c.startswith("defence.")]  # a detector leaves them alone
    told = [
        f"{what} {_end(known[0], known, by)} to {_end(known[-1], known, by)}."
        for what, group, by in (
            ("ASR goes from", attacked, victims),
            ("Repairs leave", repaired, axes),
        )
        if (known := _ranked(group))
    ]
    missing = sum(row.get("status") == "missing" for row in rows)
    if missing:
        told.append(f"{missing} of {len(rows)} rows are missing.")
    return " ".join(told) or "No attack could be judged."


def _ranked(rows: Sequence[Row]) -> list[Row]:
    known = [row for row in rows if row.get("attack_success") is not None]
    return sorted(known, key=lambda row: row["attack_success"])


def _end(row: Row, rows: Sequence[Row], axes: Sequence[str]) -> str:
    """Return the ASR of a row, with the fewest words that tell it from the others."""
    low, high, _ = companions("attack_success")
    made = cell(row["attack_success"], row.get(low), row.get(high))
    assert made is not None
    return f"{made['text']} {made['small']} ({_in_brief(row, rows, axes)})"


def _in_brief(row: Row, rows: Sequence[Row], axes: Sequence[str]) -> str:
    """Return what tells a row apart; tables have the settings, and what follows from the rest."""
    kept = telling(axes, rows, ("T", "stage", "part"))
    brief = {c: _short(row[c], {one[c] for one in rows}) for c in kept}
    if "rule" in kept:
        brief["rule"] = label(str(row["rule"])).partition(" ")[0]
        if str(brief.get("part", "")).startswith(brief["rule"]):
            kept = [c for c in kept if c != "rule"]
    return named_by(brief, kept)


def _short(value: Any, values: set[Any]) -> Any:
    """Return a component without its settings, where its name alone tells it apart."""
    names = [str(one).partition("(")[0] for one in values]
    short = str(value).partition("(")[0]
    return short if isinstance(value, str) and names.count(short) == 1 else value


def _told(row: Row, name: str) -> str:
    made = share(row, name)
    return "–" if made is None else f"{made['text']} {made['small']}"


def _point(row: Row, x: float, name: str, about: str = "") -> dict[str, Any]:
    low, high, _ = companions(name)
    return point(x, row[name], row.get(low), row.get(high), about)


def _table(table: Table, axes: Sequence[str]) -> dict[str, Any]:
    known = set(measures(table.columns))
    shown = [m for m in _SHOWN if m in known and any(row[m] is not None for row in table.rows)]
    why = [c for c in ("status", "reason") if c in table.columns]
    columns = [*axes, *(m.replace("_", " ") for m in shown), *why]
    lines = [
        [*(row[c] for c in axes), *(share(row, m) for m in shown), *(row[c] for c in why)]
        for row in table.rows
    ]
    return {"columns": columns, "rows": lines}


def _over(
    rows: Sequence[Row], axes: Sequence[str], x: str, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a chart for each attack and measure over a column that varies, a line for all else."""
    if x not in axes:
        return []
    outer = [c for c in axes if c.startswith("attack.") and c != x]
    apart = (x, "seed", "stage", *outer)
    charts = []
    for attack in dict.fromkeys(named_by(row, outer) for row in rows):
        after = f", {attack}" if outer else ""
        drawn: dict[str, list[dict[str, Any]]] = {}
        for name in names:
            shown = [
                row
                for row in rows
                if named_by(row, outer) == attack
                and row.get(name) is not None
                and row[x] is not None
            ]
            found = _grouped(
                shown,
                lambda row: named_by(row, axes, apart),
                lambda row, name=name: _point(row, row[x], name, f"{x} = {row[x]}"),
            )
            lines = [line for line in found if len(line["points"]) > 1]
            if lines:
                drawn[TITLES[name].removesuffix(" (%)")] = lines
        shape: dict[str, Any] = {"x": x, "y": "%", "log": True}
        if max((len(lines) for lines in drawn.values()), default=0) > _CROWD:
            drawn, shape = _turned(drawn), {**shape, "small": True}
            titles = {name: f"{name}{after}" for name in drawn}
        else:
            titles = {name: f"{name} by {x}{after}" for name in drawn}
        charts += [{"title": titles[n], **shape, "series": lines} for n, lines in drawn.items()]
    return charts


def _turned(drawn: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return a chart for each line, with a line for each chart."""
    found: dict[str, list[dict[str, Any]]] = {}
    for measure, lines in reversed(drawn.items()):
        for line in lines:
            look = {"ink": _INKS.get(measure), "dashed": measure == "migration ratio"}
            found.setdefault(line["name"], []).append({**line, "name": measure, **look})
    return found


def _overhead(table: Table) -> list[dict[str, Any]]:
    rows = times(table)
    if not rows:
        return []
    names = list(dict.fromkeys(str(row["stage"]) for row in rows))

    def made(row: Row) -> dict[str, Any]:
        took, low, high = (row[n] for n in ("took", *companions("took")[:2]))
        low, high = (max(took if end is None else end, 0) for end in (low, high))
        told = f"{row['stage']}: {took:.3g} s [{low:.3g}, {high:.3g}]"
        return {"x": names.index(row["stage"]), "y": took, "low": low, "high": high, "told": told}

    series = _grouped(rows, lambda row: str(row["of"]), made)
    most = max(point["y"] for line in series for point in line["points"])
    chart = {"title": "Training and conversion", "y": "s", "names": names, "raw": True}
    return [{**chart, "limits": [0, 1.1 * most], "series": series}]


def _detectors(rows: Sequence[Row], axes: Sequence[str]) -> list[dict[str, Any]]:
    found = [row for row in rows if row.get("auroc") is not None]
    if not found:
        return []
    names = sorted({str(row["defence.method"]) for row in found})
    return [
        {
            "title": "AUROC of each detector",
            "y": "%, 50 is chance",
            "names": names,
            "series": _grouped(
                found,
                lambda row: named_by(row, axes, ("defence.method", "stage", "T")),
                lambda row: _point(row, names.index(str(row["defence.method"])), "auroc"),
            ),
        }
    ]


def _repairs(rows: Sequence[Row], axes: Sequence[str]) -> list[dict[str, Any]]:
    found = [
        row
        for row in rows
        if row.get("stage") == "repaired" and row.get("attack_success") is not None
    ]
    if not found:
        return []

    def trade(row: Row) -> dict[str, Any]:
        x, told = 100 * row["attack_success"], _told(row, "attack_success")
        ends = (row.get(f"attack_success.{end}") for end in ("low", "high"))
        left, right = (x if end is None else 100 * end for end in ends)
        about = f"{named_by(row, axes, ('stage', 'T'))}\nASR {told}, clean accuracy"
        return {**_point(row, x, "clean_accuracy", about), "left": left, "right": right}

    lowest = min(row["clean_accuracy"] for row in found)
    series = _grouped(found, lambda row: str(row["defence.method"]), trade)
    return [
        {
            "title": "Clean accuracy against ASR",
            "x": "ASR after the repair, %",
            "y": "clean accuracy, %",
            "limits": [max(math.floor(10 * lowest) / 10 - 0.1, 0), 1],
            "series": [{**one, "loose": True} for one in series],
        }
    ]


def _grouped(
    rows: Sequence[Row], name: Callable[[Row], str], made: Callable[[Row], dict[str, Any]]
) -> list[dict[str, Any]]:
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault(name(row), []).append(made(row))
    return [{"name": key, "points": line} for key, line in lines.items()]
