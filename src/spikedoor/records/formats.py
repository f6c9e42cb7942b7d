"""A table as text: plain, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spikedoor.records.display import NOTHING, Column, Estimate, layout

if TYPE_CHECKING:
    from spikedoor.records.query import Table

__all__ = ["csv_text", "latex", "markdown", "text"]

_GAP = "  "
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|*`<"})
_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "%_&#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        NOTHING: "--",
        # At the start of a row, these would belong to the \\ or \midrule before.
        "[": "{[}",
        "*": "{*}",
    }
)


def text(table: Table, width: int | None = None) -> str:
    """Return aligned plain text; see `Table.text`."""
    laid = layout(table)
    blocks = ["\n".join(_lines(block)) for block in _blocks(laid.columns, width)]
    parts = ["\n".join(filter(None, [laid.shared, blocks[0]])), *blocks[1:]]
    return "\n\n".join(filter(None, [*parts, laid.note]))


def _blocks(columns: Sequence[Column], width: int | None) -> list[list[Column]]:
    """Share the columns out to blocks of a width, each with those that identify."""
    lead = [column for column in columns if column.identifies]
    blocks = [lead]
    for column in columns[len(lead) :]:
        if (
            width is not None
            and len(blocks[-1]) > len(lead)
            and _width([*blocks[-1], column]) > width
        ):
            blocks.append(lead)
        blocks[-1] = [*blocks[-1], column]
    return blocks


def _lines(columns: Sequence[Column]) -> list[str]:
    aligned = []
    for column in columns:
        cells = [_head(column), *map(_cell, column.cells)]
        width = max(map(len, cells))
        aligned.append([c.rjust(width) if column.right else c.ljust(width) for c in cells])
    return [_GAP.join(line).rstrip() for line in zip(*aligned, strict=True)]


def _width(columns: Sequence[Column]) -> int:
    return max(map(len, _lines(columns)))


def _head(column: Column) -> str:
    return f"{column.name} %" if column.measure else column.name


def _cell(cell: str | Estimate) -> str:
    if isinstance(cell, str):
        return cell
    limits = _limits(cell, " [{:.1f}, {:.1f}]")
    runs = f" (n={cell.runs})" if cell.runs is not None else ""
    return f"{100 * cell.value:.1f}{limits}{runs}"


def _limits(cell: Estimate, form: str) -> str:
    if cell.low is None or cell.high is None:
        return ""
    return form.format(100 * cell.low, 100 * cell.high)


def csv_text(table: Table) -> str:
    """Return CSV; see `Table.csv`."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, table.columns)
    writer.writeheader()
    writer.writerows(table.rows)
    return file.getvalue()


def markdown(table: Table) -> str:
    """Return a table for Markdown; see `Table.markdown`."""
    laid = layout(table)
    heads = [_head(column) for column in laid.columns]
    rules = ["---:" if column.right else "---" for column in laid.columns]
    rows = zip(*(map(_cell, column.cells) for column in laid.columns), strict=True)
    lines = [[cell.translate(_MARKDOWN) for cell in line] for line in (heads, *rows)]
    grid = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rules, *lines[1:]))
    return "\n\n".join(filter(None, [laid.shared.translate(_MARKDOWN), grid, laid.note]))


def latex(table: Table) -> str:
    """Return a ``tabular``; see `Table.latex`."""
    laid = layout(table)
    heads = [
        f"{column.name.replace('_', ' ').translate(_LATEX)} (\\%)"
        if column.measure
        else column.name.translate(_LATEX)
        for column in laid.columns
    ]
    rows = zip(*(map(_latex_cell, column.cells) for column in laid.columns), strict=True)
    alignment = "".join("r" if column.right else "l" for column in laid.columns)
    return "\n".join(
        [
            *(f"% {line}" for line in (laid.shared, laid.note) if line),
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _latex_row(heads),
            r"\midrule",
            *map(_latex_row, rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _latex_row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _latex_cell(cell: str | Estimate) -> str:
    if isinstance(cell, str):
        return cell.translate(_LATEX)
    limits = _limits(cell, "_{{[{:.1f},\\,{:.1f}]}}").replace("inf", r"\infty")
    runs = f" ($n={cell.runs}$)" if cell.runs is not None else ""
    return f"${100 * cell.value:.1f}{limits}${runs}"
