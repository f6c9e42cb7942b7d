"""Lines: against the poison rate, and against the number of time steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from spikedoor.records.query import Table
from spikedoor.report.charts.marks import bars, legend, percent, values
from spikedoor.report.charts.series import (
    TITLES,
    Chart,
    Series,
    caption,
    final_stages,
    need,
    panels_by,
    series,
    victims,
)
from spikedoor.report.charts.style import GREY, TWO_COLUMNS, look, style

__all__ = ["at_own_steps", "migration", "rate"]


def rate(table: Table) -> list[Chart]:
    """Draw clean accuracy and ASR against the poison rate, a line for each rule.

    The ASR of the clean twins is dotted. Series with a single rate are left out.

    Raises:
        ConfigError: If the poison rate does not vary.
    """
    need("rate", "attack.rate" in table.columns, "axis attack.rate")
    found = series(final_stages(victims(table)), ("attack.rate", "T"), ["attack.rate"])
    need("rate", found, "results of two poison rates or more yet")
    measures = ("clean_accuracy", "attack_success")
    with style():
        figure = _courses({"": found}, "attack.rate", measures, "poison rate (%)", 100)
        for i, one in enumerate(found):
            rows = sorted(one.rows, key=lambda row: row["attack.rate"])
            twins = values(rows, "clean_model")
            figure.axes[1].plot([100 * r["attack.rate"] for r in rows], twins[0], ":",
                                color=look(i).colour, linewidth=0.9)  # fmt: skip
            figure.axes[1].fill_between([100 * r["attack.rate"] for r in rows], twins[1], twins[2],
                                        color=look(i).colour, alpha=0.12, linewidth=0)  # fmt: skip
        twin = Line2D([], [], color=GREY, linestyle=":", linewidth=0.9, label="ASR, clean twin")
        legend(figure, [one.label for one in found], [twin])
    rows = [row for one in found for row in one.rows]
    return [Chart("rate", figure, caption(
        "Clean accuracy and attack success against the share of poisoned training samples; dotted: "
        "the same triggers on clean twins", rows, measures))]  # fmt: skip


def migration(table: Table) -> list[Chart]:
    """Draw clean accuracy, ASR and migration ratio of converted networks against T.

    Where the study converts for several T, each network is drawn at its own; else the predictions
    after every step are.

    Raises:
        ConfigError: If there is no conversion, or but one T.
    """
    chosen = at_own_steps(table)
    need("migration", chosen.rows, "result of a stage 'converted'")
    blocks = {
        name: series(block, ("T", "rule.steps", "attack.trigger"), ["T"])
        for name, block in panels_by(chosen, "attack.trigger").items()
    }
    blocks = {name: found for name, found in blocks.items() if found}
    need("migration", blocks, "results of two T or more yet")
    measures = ("clean_accuracy", "attack_success", "migration_ratio")
    labels = list(dict.fromkeys(one.label for found in blocks.values() for one in found))
    with style():
        figure = _courses(blocks, "T", measures, "time steps T", 1, labels)
        legend(figure, labels)
    rows = [row for found in blocks.values() for one in found for row in one.rows]
    return [Chart("migration", figure, caption(
        "Clean accuracy, attack success and its ratio to that of the ANN, against the time steps "
        "of the converted network", rows, measures))]  # fmt: skip


def at_own_steps(table: Table) -> Table:
    """Return converted networks, those of a study of several T each after its last step."""
    found = victims(table)
    rows = tuple(
        row
        for row in found.rows
        if row["stage"] == "converted" and row.get("rule.steps") in (None, row["T"])
    )
    return Table(found.columns, rows)


def _courses(blocks: dict[str, list[Series]], x: str, measures: Sequence[str], title: str,
             scale: float, labels: Sequence[str] = ()) -> Figure:  # fmt: skip
    """Draw a row of panels for each block: a column a measure, logarithmic along x."""
    figure = Figure(figsize=(TWO_COLUMNS, 0.4 + 1.9 * len(blocks)), layout="constrained")
    grid = figure.subplots(len(blocks), len(measures), squeeze=False, sharex=True)
    for line, (name, found) in zip(grid, blocks.items(), strict=True):
        order = labels or [one.label for one in found]
        for axes, measure in zip(line, measures, strict=True):
            ticks: set[float] = set()
            for one in found:
                number = order.index(one.label)
                rows = sorted(one.rows, key=lambda row: row[x])
                at = scale * np.array([row[x] for row in rows], dtype=float)
                ticks |= set(at)
                # Beside each other, so that every interval is seen.
                aside = 1.3 ** ((number + 0.5) / len(order) - 0.5) if len(at) <= 10 else 1.0
                bars(axes, at * aside, values(rows, measure), look(number), line=True)
            axes.set_xscale("log")
            if len(ticks) <= 10:
                axes.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
                axes.xaxis.set_minor_locator(NullLocator())
            percent(axes)
            axes.set_ylabel(TITLES[measure])
        if name:
            line[0].set_title(name, loc="left", fontweight="bold")
    for axes in grid[-1]:
        axes.set_xlabel(title)
    return figure
