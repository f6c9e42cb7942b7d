"""Methods against attacks: the board of a study, and the leaderboard of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spikedoor.errors import ConfigError
from spikedoor.records.columns import companions, identification
from spikedoor.records.query import Table
from spikedoor.report.charts.series import Row, final_stages, named
from spikedoor.report.page.content import Content, cell, filled

__all__ = ["axes_of", "boards", "final_rows", "named_by", "of_leaderboard", "share", "telling"]

_BOARD = (
    "Clean accuracy / ASR of the last stage after its last step, of detectors the AUROC, in %, "
    "with the interval of the ASR or AUROC. What is missing is named with its reason."
)
_FULL = (
    "A mean is over the cells that have a value, as many as are counted; means of few and of many "
    "cells do not compare, so that methods with a value in more columns come first."
)
_DASH = "A dash stands where the study plans nothing."
_KINDS = {
    "attacks": ("attack_success", "Ranked by the mean ASR over the columns."),
    "detectors": ("auroc", "Ranked by the mean AUROC over the columns."),
    "repairs": (
        "effectiveness",
        "Ranked by the mean effectiveness (DER) over the columns; below it, clean accuracy / ASR "
        "that are left.",
    ),
}
Cell = dict[str, Any] | None
"""What a board tells of a method and an attack; None where the study never crosses them."""
Lines = dict[str, list[Cell]]


def of_leaderboard(studies: Mapping[str, Table], command: str) -> Content:
    """Return a page that ranks what studies compare: attacks, detectors and repairs.

    Args:
        studies: Means of each study by name; see `Table`.
        command: What repeats them.

    Raises:
        ConfigError: If a study has no rows.
    """
    sections, first = [], []
    gaps = cells = 0
    for title, table in studies.items():
        if not table.rows:
            raise ConfigError(f"{title}: expected one row of results or more, got none")
        for kind, rows, axes in _kinds(table):
            measure, note = _KINDS[kind]
            columns, lines = _crossed(rows, axes, measure)
            ranked = _ranked(lines)
            planned = [one for line in lines.values() for one in line if one is not None]
            cells += len(planned)
            gaps += sum(one["value"] is None for one in planned)
            if ranked[0][1] is not None:
                first.append(f"{ranked[0][0]} ({title}, {kind}: {ranked[0][1]['text']})")
            note = f"{note} {_FULL}"
            made = {"columns": ["method", "mean", "cells", *columns], "rows": ranked}
            sections.append(_section(f"{title}: {kind}", note, lines, made))
    again = {
        "title": "To do it again",
        "texts": [{"title": "Commands", "text": command, "open": True}],
    }
    told = f"First: {'; '.join(first)}." if first else "Nothing is measured yet."
    missing = (
        f"{gaps} of {cells} cells have no value; each says why."
        if gaps
        else f"All {cells} cells have a value."
    )
    return Content(
        "Leaderboard",
        "Which attacks, detectors and repairs do best, in what was measured?",
        f"{told} {missing}",
        filled([*sections, again]),
    )


def boards(table: Table) -> list[dict[str, Any]]:
    """Return the boards of a study as sections: its attacks, its detectors and its repairs."""
    kinds = list(_kinds(table))
    sections = []
    for kind, rows, axes in kinds:
        columns, lines = _crossed(rows, axes)
        made = {"columns": ["method", *columns], "rows": [[m, *line] for m, line in lines.items()]}
        title = f"The board: {kind}" if len(kinds) > 1 else "The board"
        sections.append(_section(title, _BOARD, lines, made))
    return sections


def _section(title: str, note: str, lines: Lines, table: dict[str, Any]) -> dict[str, Any]:
    dashed = any(one is None for line in lines.values() for one in line)
    return {"title": title, "note": f"{note} {_DASH}" if dashed else note, "table": table}


def _kinds(table: Table) -> Iterator[tuple[str, list[Row], list[str]]]:
    """Yield attacks, detectors and repairs: what each is called, its rows, and what varies.

    A rule or an attack that a kind has alone is told where the study has others.
    """
    final = final_rows(table)
    everywhere = axes_of(table.columns, final)
    for kind, rows in _apart(final).items():
        here = axes_of(table.columns, rows)
        about = ("rule", "attack.", "data")
        axes = telling([c for c in everywhere if c in here or c.startswith(about)], rows)
        if kind != "attacks" and "defence.method" not in axes:
            axes.append("defence.method")
        yield kind, rows, axes


def _apart(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of attacks, detectors and repairs; a repair has a row of its stage."""
    eliminators = {row.get("defence.method") for row in rows if row.get("stage") == "repaired"}
    found: dict[str, list[Row]] = {}
    for row in rows:
        method = row.get("defence.method")
        defence = "repairs" if method in eliminators else "detectors"
        found.setdefault(defence if method else "attacks", []).append(row)
    return found


def axes_of(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the columns that tell rows apart; T stands for the steps of the rule as well."""
    found = [c for c in identification(columns) if len({row[c] for row in rows}) > 1]
    return [c for c in found if not (c == "rule.steps" and "T" in found)]


def telling(
    axes: Sequence[str], rows: Sequence[Row], idle: Sequence[str] = ("stage", "part")
) -> list[str]:
    """Return the axes to name rows by: without what is idle, if the others say it already."""
    kept = list(axes)
    for name in idle:
        rest = [c for c in kept if c != name]
        found = ({tuple(row[c] for c in some) for row in rows} for some in (rest, kept))
        if len(next(found)) == len(next(found)):
            kept = rest
    return kept


def final_rows(table: Table) -> list[Row]:
    """Return the rows of the stage that is put to use, the repaired one of an eliminator."""
    repaired = [row for row in table.rows if row.get("stage") == "repaired"]
    eliminators = {row.get("defence.method") for row in repaired}
    others = final_stages(table).rows
    return [*(row for row in others if row.get("defence.method") not in eliminators), *repaired]


def named_by(row: Row, axes: Iterable[str], without: Sequence[str] = ()) -> str:
    """Return what tells a row apart by the columns that vary, but some."""
    return named(row, [c for c in axes if c not in without]) or "all"


def share(row: Row, name: str) -> dict[str, Any] | None:
    """Return a measure of a row as a cell of a table; None where it has none."""
    return cell(row.get(name), *(row.get(other) for other in companions(name)))


def _crossed(
    rows: Sequence[Row], axes: Sequence[str], ranked: str | None = None
) -> tuple[list[str], Lines]:
    """Return methods by attack: a line for what was done, a column for what was done to it.

    Args:
        rows: Means, of final stages and of one kind.
        axes: Columns that vary.
        ranked: Measure that the cells are about; None for what each has.

    Returns:
        Names of the columns; the cells of each line, by its name.
    """
    defended = any(row.get("defence.method") for row in rows)
    known = [c for c in axes if c != "stage"]
    if defended:
        inner = [c for c in known if c.startswith("defence.")]
        outer = telling([c for c in known if c not in inner], rows, ("T",))
    else:
        outer = [c for c in known if c.startswith(("attack.", "data")) or c == "seed"]
        inner = [c for c in known if c not in outer]
    if not inner:  # nothing but attacks were compared
        inner = [c for c in outer if c.startswith("attack.trigger")]
        outer = [c for c in outer if c not in inner]
    columns = list(dict.fromkeys(named_by(row, outer) for row in rows))
    found: dict[str, dict[str, Cell]] = {}
    for row in rows:
        of_line = found.setdefault(named_by(row, inner), {})
        of_line[named_by(row, outer)] = _summary(row, ranked)
    return columns, {name: [one.get(c) for c in columns] for name, one in found.items()}


def _ranked(lines: Lines) -> list[list[Any]]:
    """Return lines with their means, those with the most values and of these the best first."""
    made: list[tuple[tuple[int, float], list[Any]]] = []
    for name, line in lines.items():
        planned = [one for one in line if one is not None]
        known = [one["value"] for one in planned if one["value"] is not None]
        mean = sum(known) / len(known) if known else 0.0
        told = cell(mean) if known else None
        counted = f"{len(known)} of {len(planned)}"
        made.append(((len(known), mean), [name, told, counted, *line]))
    return [line for _, line in sorted(made, key=lambda one: one[0], reverse=True)]


def _summary(row: Row, ranked: str | None) -> dict[str, Any]:
    if row.get("auroc") is not None:
        made = share(row, "auroc")
        assert made is not None
        return {**made, "text": f"AUROC {made['text']}"}
    accuracy, success = share(row, "clean_accuracy"), share(row, "attack_success")
    if accuracy is None or ranked == "auroc":
        return {"value": None, "text": "missing", "small": str(row.get("reason") or "not run")}
    if success is None:
        return {**accuracy, "value": None, "text": f"{accuracy['text']} / –", "small": "at chance"}
    text = f"{accuracy['text'].removesuffix(' %')} / {success['text'].removesuffix(' %')}"
    if ranked == "effectiveness":
        made = share(row, ranked)
        return (
            {**made, "small": f"{made['small']}; {text}"}
            if made
            else {"value": None, "text": "missing", "small": "no backdoor to remove"}
        )
    return {"value": success["value"], "text": text, "small": success["small"]}
