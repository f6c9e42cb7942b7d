"""What eliminators leave of accuracy and backdoor, and what detectors tell apart."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from spikedoor.records.columns import identification
from spikedoor.records.query import Table
from spikedoor.report.charts.levels import Blocks, levels
from spikedoor.report.charts.marks import legend, values
from spikedoor.report.charts.series import (
    TITLES,
    Chart,
    Row,
    caption,
    final_stages,
    named,
    need,
    panels_by,
    series,
)
from spikedoor.report.charts.style import TWO_COLUMNS, look, style

__all__ = ["defences"]

_METHOD = "defence.method"
_APART = (_METHOD, "attack.trigger", "part", "rule", "stage", "T")
"""Columns that have a place of their own in the figure of eliminators."""


def defences(table: Table) -> list[Chart]:
    """Draw ASR against clean accuracy after each eliminator, and what each detector finds.

    Raises:
        ConfigError: If the study has no axis of defences, or none has been run.
    """
    need("defences", _METHOD in table.columns, f"axis {_METHOD}")
    repaired = _having(table, "attack_success", "repaired")
    looked = _having(table, "auroc", None)
    need("defences", repaired.rows or looked.rows, "result of a defence yet")
    made = [_eliminators(repaired, table)] if repaired.rows else []
    return made + ([_detectors(looked)] if looked.rows else [])


def _having(table: Table, measure: str, stage: str | None) -> Table:
    rows = [
        row
        for row in table.rows
        if row.get(measure) is not None and (stage is None or row["stage"] == stage)
    ]
    return Table(table.columns, tuple(rows))


def _eliminators(repaired: Table, table: Table) -> Chart:
    blocks: dict[str, dict[str, dict[str, Row]]] = {}
    final = final_stages(table).mean(_names(table), over="seed")
    after = repaired.mean(_names(table), over="seed").rows
    varied = [n for n in _names(table) if n not in _APART and len({row[n] for row in after}) > 1]
    where = [name for name in varied if not name.startswith("defence.")]
    before = {_place(row, where): row for row in final.rows}
    for row in after:
        attack, part = _place(row, where)
        block = blocks.setdefault(attack, {}).setdefault(part, {})
        if (attack, part) in before:
            block.setdefault("before", before[attack, part])
        same = [other for other in after if other[_METHOD] == row[_METHOD]]
        how = [n for n in varied if n not in where and len({other[n] for other in same}) > 1]
        block[named(row, [_METHOD, *how])] = row
    labels = list(dict.fromkeys(m for b in blocks.values() for rows in b.values() for m in rows))
    parts = list(dict.fromkeys(part for block in blocks.values() for part in block))
    rows = [row for b in blocks.values() for methods in b.values() for row in methods.values()]
    measures = ("clean_accuracy", "attack_success")
    left = max(-5.0, 100 * min(float(row["clean_accuracy"]) for row in rows) - 5)
    with style():
        figure = Figure(figsize=(TWO_COLUMNS, 0.5 + 1.9 * len(blocks)), layout="constrained")
        grid = figure.subplots(len(blocks), len(parts), squeeze=False, sharex=True, sharey=True)
        for line, (trigger, block) in zip(grid, blocks.items(), strict=True):
            for axes, part in zip(line, parts, strict=True):
                axes.set(xlim=(left, 102.5), ylim=(-5, 105))
                for method, row in block.get(part, {}).items():
                    x, y = (values([row], m) for m in measures)
                    one = look(labels.index(method))
                    first = method == "before"
                    axes.errorbar(x[0], y[0], xerr=abs(x[1:] - x[0]), yerr=abs(y[1:] - y[0]),
                                  color=one.colour, marker=one.marker, linestyle="",
                                  elinewidth=0.6, markersize=7 if first else 3.5,
                                  markerfacecolor="none" if first else one.colour)  # fmt: skip
                axes.set_title("\n".join(filter(None, (part, trigger))))
            line[0].set_ylabel(TITLES["attack_success"])
        for axes in grid[-1]:
            axes.set_xlabel(TITLES["clean_accuracy"])
        legend(figure, labels, line=False)
    return Chart("defences-eliminators", figure, caption(
        "Attack success against clean accuracy before and after each eliminator; best is the lower "
        "right corner", rows, measures))  # fmt: skip


def _names(table: Table) -> list[str]:
    return [n for n in identification(table.columns) if n != "seed"]


def _place(row: Row, where: Sequence[str]) -> tuple[str, str]:
    """Return what stands over the panel of a row: the attack and what else varies, and its part."""
    attack = filter(None, (str(row.get("attack.trigger") or ""), named(row, where)))
    return ", ".join(attack), str(row.get("part") or row["rule"])


def _detectors(looked: Table) -> Chart:
    blocks: Blocks = {}
    for name, block in panels_by(looked, "attack.trigger").items():
        for one in series(block, (_METHOD, "attack.trigger", "T")):
            for row in one.rows:
                level = blocks.setdefault(name, {}).setdefault(str(row[_METHOD]), {})
                level[one.label] = row
    measures = ("auroc", "twin_false_alarms")
    figure, rows = levels(blocks, measures)
    return Chart("defences-detectors", figure, caption(
        "Area under the ROC curve of each detector, and its false alarms on the clean twin at its "
        "own threshold", rows, measures))  # fmt: skip
