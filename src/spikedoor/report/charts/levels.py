"""Levels one below the other: converters at chosen T, and forms of the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spikedoor.records.query import Table
from spikedoor.report.charts.courses import at_own_steps
from spikedoor.report.charts.marks import bars, legend, percent, values
from spikedoor.report.charts.series import (
    TITLES,
    Chart,
    Row,
    caption,
    final_stages,
    need,
    panels_by,
    series,
    victims,
)
from spikedoor.report.charts.style import TWO_COLUMNS, look, style

__all__ = ["converters", "corners", "levels"]

Blocks = dict[str, dict[str, dict[str, Row]]]
"""By block, by name of the level, by series: the row with the means."""


def converters(table: Table) -> list[Chart]:
    """Draw clean accuracy, ASR and migration ratio of each converter, at the T that most share.

    Raises:
        ConfigError: If there are not two converters.
    """
    chosen = at_own_steps(table)
    need("converters", chosen.rows, "result of a stage 'converted'")
    blocks: Blocks = {}
    for name, block in panels_by(chosen, "attack.trigger").items():
        found = series(block, ("T", "rule.steps", "attack.trigger"))
        shared = sorted(set.intersection(*({row["T"] for row in one.rows} for one in found))
                        or {row["T"] for one in found for row in one.rows})  # fmt: skip
        at = dict.fromkeys((shared[0], shared[-1]))
        blocks[name] = {
            one.label: {f"T = {row['T']}": row for row in one.rows if row["T"] in at}
            for one in found
        }
    need("converters", max(map(len, blocks.values())) > 1, "second converter to compare")
    measures = ("clean_accuracy", "attack_success", "migration_ratio")
    figure, rows = levels(blocks, measures)
    return [Chart("converters", figure, caption(
        "Converters at the smallest and the largest T that all share, else of any",
        rows, measures))]  # fmt: skip


def corners(table: Table) -> list[Chart]:
    """Draw clean accuracy and ASR by the trigger: its place, size, or whatever of it varies.

    Raises:
        ConfigError: If nothing of the trigger varies.
    """
    names = [n for n in table.columns if n.startswith("attack.trigger") and
             len({row[n] for row in table.rows}) > 1]  # fmt: skip
    need("corners", names, "axis of the trigger, such as attack.trigger.position")
    levelled: dict[str, dict[str, Row]] = {}
    for one in series(final_stages(victims(table)), (*names, "T"), names):
        for row in one.rows:
            told = ", ".join(str(row[n]) for n in names if row[n] is not None)
            levelled.setdefault(told, {})[one.label] = row
    need("corners", levelled, "results of two triggers or more yet")
    measures = ("clean_accuracy", "attack_success")
    figure, rows = levels({"": levelled}, measures)
    return [Chart("corners", figure, caption(
        "Clean accuracy and attack success by trigger", rows, measures))]  # fmt: skip


def levels(blocks: Blocks, measures: Sequence[str], scale: float = 100,
           titles: dict[str, str] = TITLES) -> tuple[Figure, list[Row]]:  # fmt: skip
    """Draw a panel for each measure and block; return the figure and the rows it shows.

    Args:
        blocks: What to draw.
        measures: Columns with companions, one a panel.
        scale: Factor of the values; 100 draws shares in per cent on a fixed axis.
        titles: Name of the axis by measure.
    """
    labels = list(dict.fromkeys(s for b in blocks.values() for level in b.values() for s in level))
    heights = [len(block) * max(1.0, 0.45 * len(labels)) + 2.0 for block in blocks.values()]
    with style():
        figure = Figure(figsize=(TWO_COLUMNS, 0.4 + 0.17 * sum(heights)), layout="constrained")
        grid = figure.subplots(len(blocks), len(measures), squeeze=False, sharex="col",
                               sharey="row", height_ratios=heights)  # fmt: skip
        for line, (name, block) in zip(grid, blocks.items(), strict=True):
            for axes, measure in zip(line, measures, strict=True):
                _panel(axes, block, labels, measure, scale)
            line[0].set_yticks(range(len(block)), list(block))
            line[0].set_ylim(len(block) - 0.5, -0.5)
            if name:
                line[0].set_title(name, loc="left", fontweight="bold")
        for axes, measure in zip(grid[-1], measures, strict=True):
            axes.set_xlabel(titles[measure])
        if len(labels) > 1:
            legend(figure, labels, line=False)
    return figure, [row for b in blocks.values() for level in b.values() for row in level.values()]


def _panel(axes: Any, block: dict[str, dict[str, Row]], labels: Sequence[str], measure: str,
           scale: float) -> None:  # fmt: skip
    for i, text in enumerate(labels):
        places = [j for j, level in enumerate(block.values()) if text in level]
        rows = [level[text] for level in block.values() if text in level]
        if rows:
            aside = 0.7 * ((i + 0.5) / len(labels) - 0.5)
            bars(axes, np.array(places) + aside, values(rows, measure, scale), look(i), across=True)
    if scale == 100:
        percent(axes, across=True)
    axes.tick_params(axis="y", length=0)
