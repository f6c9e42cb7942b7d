"""The time that stages take, with the trigger and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikedoor.records.columns import companions
from spikedoor.records.query import Table
from spikedoor.report.charts.levels import levels
from spikedoor.report.charts.series import Chart, Row, caption, need
from spikedoor.report.rows import staged

__all__ = ["overhead", "times"]

_TITLES = {"took": "time of a stage (s)", "ratio": "victim's time / clean twin's"}


def overhead(table: Table) -> list[Chart]:
    """Draw the seconds of each stage by rule, of victim and clean twin, and their ratio.

    A stage that many experiments share counts once; equal seconds to the last bit are one stage.

    Raises:
        ConfigError: If no time is recorded.
    """
    means = times(table)
    need("overhead", means, "seconds of a stage yet")
    block: dict[str, dict[str, Any]] = {}
    for row in means:
        block.setdefault(str(row["stage"]), {})[str(row["of"])] = row
    measures = ("took", "ratio")
    figure, shown = levels({"": block}, measures, 1, _TITLES)
    figure.axes[0].set_xlim(left=0)
    figure.axes[1].axvline(1, color="0.5", linewidth=0.6)
    what = "Seconds to make each stage, and the victim's over the clean twin's"
    return [Chart("overhead", figure, caption(what, shown, measures))]


def times(table: Table) -> Sequence[Row]:
    """Return mean seconds ("took") of each stage, "of" victim and clean twin, and their "ratio"."""
    timed: dict[tuple[str, str, float], Any] = {
        (str(row["rule"]), str(row["stage"]), float(row["seconds"])): row.get("twin_seconds")
        for row in table.rows
        if row["seconds"]
    }
    rows = []
    for run, ((rule, stage, took), twin) in enumerate(timed.items()):
        told = staged(rule, stage)
        rows.append({"stage": told, "of": "victim", "run": run, **_measure("took", took),
                     **_measure("ratio", took / twin if twin else None)})  # fmt: skip
        if twin:
            rows.append({"stage": told, "of": "clean twin", "run": run, **_measure("took", twin),
                         **_measure("ratio", None)})  # fmt: skip
    return Table.of(rows).mean(["stage", "of"], over="run").rows if rows else ()


def _measure(name: str, value: float | None) -> dict[str, float | None]:
    return {name: value, **dict.fromkeys(companions(name))}
