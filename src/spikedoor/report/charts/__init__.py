"""The figures of a study for a paper, one function a kind, from the rows of its table."""

from collections.abc import Callable, Sequence

from spikedoor.records.query import Table
from spikedoor.report.charts.courses import migration, rate
from spikedoor.report.charts.defences import defences
from spikedoor.report.charts.levels import converters, corners
from spikedoor.report.charts.overhead import overhead
from spikedoor.report.charts.series import Chart
from spikedoor.report.charts.style import style

__all__ = ["CHARTS", "Chart", "converters", "corners", "defences", "migration", "overhead", "rate",
           "style"]  # fmt: skip

CHARTS: dict[str, Callable[[Table], Sequence[Chart]]] = {
    "rate": rate,
    "migration": migration,
    "converters": converters,
    "corners": corners,
    "defences": defences,
    "overhead": overhead,
}
"""Kinds of figures, each made from rows as `Campaign.rows` gives them, one for each seed."""
