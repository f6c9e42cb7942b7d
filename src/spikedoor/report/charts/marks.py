"""Points with their intervals: along an axis, or one row below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spikedoor.records.columns import companions
from spikedoor.report.charts.style import Look, look

__all__ = ["bars", "legend", "percent", "values"]


def values(rows: Sequence[Mapping[str, Any]], measure: str, scale: float = 100.0) -> np.ndarray:
    """Return value, low and high of each row, [3, N], times a scale; nan where there is none.

    A value without limits gets its own value as both.
    """
    low, high, _ = companions(measure)
    found = np.array([[row[n] for n in (measure, low, high)] for row in rows], dtype=float).T
    found[1:] = np.where(np.isnan(found[1:]), found[0], found[1:])
    return scale * found


def bars(axes: Axes, x: Sequence[float] | np.ndarray, y: np.ndarray, one: Look, *,
         line: bool = False, across: bool = False) -> None:  # fmt: skip
    """Draw values with their intervals.

    Args:
        axes: Where.
        x: Places along the other axis.
        y: Value, low, high, [3, N].
        one: Colour and marker.
        line: Join the points.
        across: Draw the values along x, at heights ``x``.
    """
    reach = np.abs(y[1:] - y[0])
    shared = {"color": one.colour, "marker": one.marker, "linestyle": "-" if line else "",
              "elinewidth": 0.7, "zorder": 3}  # fmt: skip
    if across:
        axes.errorbar(y[0], x, xerr=reach, **shared)
    else:
        axes.errorbar(x, y[0], yerr=reach, **shared)


def percent(axes: Axes, across: bool = False) -> None:
    """Frame an axis of shares."""
    (axes.set_xlim if across else axes.set_ylim)(-5, 105)
    (axes.set_xticks if across else axes.set_yticks)(range(0, 101, 25))


def legend(figure: Figure, labels: Sequence[str], extra: Sequence[Line2D] = (),
           line: bool = True) -> None:  # fmt: skip
    """Name the series below all panels, in the order of their looks."""
    handles = [
        Line2D([], [], color=look(i).colour, marker=look(i).marker,
               linestyle="-" if line else "", label=text)
        for i, text in enumerate(labels)
    ]  # fmt: skip
    longest = max(map(len, labels), default=1)
    count = len(handles) + len(extra)
    columns = max(1, min(count, int(figure.get_figwidth() * 15 / (longest + 8))))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.16 * -(-count // columns))
    figure.legend(handles=[*handles, *extra], loc="outside lower center", ncols=columns)
