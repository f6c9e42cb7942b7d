"""From the rows of a table to series with names, and the caption that tells what is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from spikedoor.errors import ConfigError
from spikedoor.records.columns import Value, companions, identification
from spikedoor.records.query import Table
from spikedoor.report.rows import label as rule_label

__all__ = [
    "TITLES", "Chart", "Row", "Series", "caption", "final_stages", "follows", "named", "need",
    "panels_by", "series", "victims",
]  # fmt: skip

Row = Mapping[str, Any]
TITLES = {
    "clean_accuracy": "clean accuracy (%)",
    "attack_success": "ASR (%)",
    "migration_ratio": "migration ratio (%)",
    "auroc": "AUROC (%)",
    "twin_false_alarms": "false alarms, clean twin (%)",
}
_STAGES = ("ann", "converted", "finetuned", "direct")


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure, the name of its file, and the text to put under it."""

    name: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Series:
    """Means over seeds that are drawn alike."""

    label: str
    rows: tuple[Row, ...]


def need(kind: str, found: object, missing: str) -> None:
    """Refuse to draw without what the figure is about.

    Args:
        kind: Of the figure.
        found: True, or not empty, where there is what is needed.
        missing: What the study has not, in words.

    Raises:
        ConfigError: Saying what the records lack.
    """
    if not found:
        raise ConfigError(f"figure '{kind}': the study has no {missing}")


def victims(table: Table) -> Table:
    """Return the victims, each once whatever defences were put to it; none where none is measured.

    A detector leaves its victim as it is, and a repair has rows of a stage of its own.
    """
    columns = tuple(name for name in table.columns if not name.startswith("defence."))
    names = identification(columns)
    found: dict[tuple[Any, ...], dict[str, Value]] = {}
    for row in table.rows:
        if row["stage"] != "repaired":
            found.setdefault(tuple(row[n] for n in names), {n: row[n] for n in columns})
    known = any(row["clean_accuracy"] is not None for row in found.values())
    return Table(columns, tuple(found.values()) if known else ())


def final_stages(table: Table) -> Table:
    """Return the rows of the last stage of each rule itself, before any repair."""
    last: dict[Any, int] = {}
    for row in table.rows:
        if row["stage"] in _STAGES:
            place = _STAGES.index(str(row["stage"]))
            last[row["rule"]] = max(place, last.get(row["rule"], 0))
    kept = [r for r in table.rows if r["stage"] in _STAGES
            and _STAGES.index(str(r["stage"])) == last[r["rule"]]]  # fmt: skip
    return Table(table.columns, tuple(kept))


def series(table: Table, along: Sequence[str], several: Sequence[str] = ()) -> list[Series]:
    """Return the means over seeds, in series of what differs in nothing but ``along``.

    A part of the study is told apart only where nothing else does it. With ``several``, series are
    left out in which none of these columns varies.
    """
    names = [n for n in identification(table.columns) if n not in along and n != "seed"]
    if "part" in names and _unique(table, [*names, *along, "seed"], without="part"):
        names.remove("part")
    means = table.mean(
        [*names, *(n for n in along if n in table.columns)],
        over=[n for n in ("seed", "part") if n in table.columns and n not in names],
    )
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in means.rows:
        groups.setdefault(tuple(row[n] for n in names), []).append(row)
    if several:
        groups = {k: rows for k, rows in groups.items() if _vary(rows, several)}
    kept = [row for rows in groups.values() for row in rows]
    varied = [n for n in names if _vary(kept, [n])]
    if "rule" in varied and "stage" in varied and follows(kept, "stage", "rule"):
        varied.remove("stage")
    told = [named(rows[0], [n for n in varied if n != "part"]) for rows in groups.values()]
    found = []
    for text, rows in zip(told, groups.values(), strict=True):
        part = str(rows[0].get("part") or "")
        if part and told.count(text) > 1:
            text = f"{text} ({part})" if text else part
        found.append(Series(text or "all", tuple(rows)))
    return found


def _unique(table: Table, names: Sequence[str], without: str) -> bool:
    kept = [n for n in names if n != without and n in table.columns]
    return len({tuple(row[n] for n in kept) for row in table.rows}) == len(table.rows)


def _vary(rows: Sequence[Row], names: Sequence[str]) -> bool:
    return len({tuple(row[n] for n in names) for row in rows}) > 1


def follows(rows: Sequence[Row], name: str, other: str) -> bool:
    """Whether a column tells nothing more of rows, of which one column tells already."""
    return len({(row[other], row[name]) for row in rows}) == len({row[other] for row in rows})


def named(row: Row, names: Iterable[str]) -> str:
    """Return what tells a row apart, by these of its columns, as all charts and tables say it."""
    names = list(names)
    rule = str(row.get("rule") or "") if "rule" in names else ""
    told = [rule_label(rule)] if rule else []
    for name in names:
        value = row.get(name)
        if name == "rule" or value is None or value == "":
            continue
        if name in ("stage", "rule.name") and value == rule:  # it is called like its one stage
            continue
        if isinstance(value, (int, float)) or str(value) in ("True", "False"):
            told.append(f"{name.rpartition('.')[2]} {str(value).lower()}")
        else:
            told.append(str(value))
    return ", ".join(told)


def panels_by(table: Table, column: str) -> dict[str, Table]:
    """Return a table for each value of a column, or the whole under an empty name."""
    values = (
        list(dict.fromkeys(row[column] for row in table.rows)) if column in table.columns else []
    )
    if len(values) < 2:
        return {"": table}
    return {
        str(value): Table(table.columns, tuple(r for r in table.rows if r[column] == value))
        for value in values
    }


def caption(what: str, rows: Sequence[Row], measures: Sequence[str]) -> str:
    """Return the caption: what is drawn, over how many runs, and what is not drawn."""
    counts = sorted(
        {int(row[companions(m)[2]]) for row in rows for m in measures if row[m] is not None}
    )
    runs = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "0"
    missing = sum(int(row["missing"]) for row in rows)
    diverged = sum(row["status"] == "diverged" for row in rows)
    told = [
        f"{what}. Means over n = {runs} runs; bars: Student's 95 % interval, of a single run that "
        "of its test samples, cut at 0 and 100 % and at the frame."
    ]
    if diverged:
        told.append(f"No ASR at {diverged} of {len(rows)} points, where accuracy is near chance.")
    if missing:
        told.append(f"Missing: {missing} runs.")
    return " ".join(told)
