"""The picture of output neurons: membrane, spikes and cumulative voltage, clean and triggered."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.report.images import show

__all__ = ["output_figure"]

# Okabe and Ito's palette, told apart with any colour vision.
_TRUE, _TARGET, _OTHER, _GREY = "#0072B2", "#D55E00", "0.72", "0.35"
_NAMED = 20
"""Classes up to which a raster names every one."""


def output_figure(probed: Probed) -> Figure:
    """Draw what the output neurons of each spiking stage do, of one sample clean and triggered.

    Below the two pictures, from top to bottom: the membrane of each class's neuron before the
    reset, with its threshold; the spikes; and the cumulative voltage, what the neuron would hold if
    it never fired. The target class and the true one stand out.
    """
    count = len(probed.stages)
    figure = Figure(figsize=(max(6.4 * count, 6.5), 9.6), layout="constrained", dpi=150)
    figure.suptitle(_heading(probed), fontsize=12)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 5.0])[:, 0]
    places = upper.subplots(1, 2)
    for axes, name in zip(places, ("clean", "triggered"), strict=True):
        show(axes, getattr(probed, name))
        axes.set_title(name, fontsize=11)
    blocks = lower.subfigures(1, count, squeeze=False)[0]
    for block, traces in zip(blocks, probed.stages, strict=True):
        _stage(block, traces, probed)
    lower.legend(handles=_legend(probed), loc="outside lower center", fontsize=9,
                 ncols=5 if count > 1 else 3, frameon=False, handlelength=2.0,
                 columnspacing=1.6)  # fmt: skip
    return figure


def _heading(probed: Probed) -> str:
    whose = "clean twin" if probed.owner == "twin" else "victim"
    return f"{probed.name}, rule '{probed.rule}': {whose} shown test sample {probed.index}"


def _stage(figure: SubFigure, traces: OutputTraces, probed: Probed) -> None:
    figure.suptitle(f"{traces.stage}, T = {len(traces.clean.current)}", fontsize=11, weight="bold")
    grid = figure.subplots(3, 2, sharex=True, sharey="row")
    for column, name in enumerate(("clean", "triggered")):
        course: Course = getattr(traces, name)
        membrane, raster, voltage = grid[:, column]
        membrane.axhline(traces.threshold, color=_GREY, linestyle="--", linewidth=1.0)
        _lines(membrane, course.membrane, probed)
        _raster(raster, course.spikes, probed)
        _lines(voltage, course.voltage, probed)
        told = probed.classes[course.predicted]
        membrane.set_title(f"{name}: taken for {told}", fontsize=10)
        voltage.set_xlabel("time step")
        voltage.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for axes, told in zip(
        grid[:, 0], ("membrane before reset", "spikes", "cumulative voltage"), strict=True
    ):
        axes.set_ylabel(told)
    figure.align_ylabels(list(grid[:, 0]))
    for axes in grid.ravel():
        axes.spines[["top", "right"]].set_visible(False)


def _styles(probed: Probed) -> list[tuple[int, str, float]]:
    """Return class, colour and width of each line, those that stand out last."""
    marked = {probed.label: _TRUE, probed.target: _TARGET}
    others = [k for k in range(len(probed.classes)) if k not in marked]
    return [(k, _OTHER, 0.9) for k in others] + [(k, c, 1.9) for k, c in marked.items()]


def _lines(axes: Axes, values: NDArray[np.float32], probed: Probed) -> None:
    steps = np.arange(1, len(values) + 1)
    marker = "o" if len(steps) <= 16 else ""
    for k, colour, width in _styles(probed):
        axes.plot(steps, values[:, k], color=colour, linewidth=width, marker=marker,
                  markersize=2 * width, clip_on=False)  # fmt: skip
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)


def _raster(axes: Axes, spikes: NDArray[np.float32], probed: Probed) -> None:
    """Draw a bar for each spike, a row a class; a spike taken back is a cross."""
    classes = probed.classes
    for k, colour, width in _styles(probed):
        for sign, marker, size in ((1, "|", 60), (-1, "x", 14)):
            at = np.flatnonzero(spikes[:, k] == sign) + 1
            axes.scatter(at, np.full(len(at), k), s=size, marker=marker, color=colour,
                         linewidths=width)  # fmt: skip
    axes.set_xlim(0.5, len(spikes) + 0.5)
    axes.set_ylim(len(classes) - 0.4, -0.6)
    named = range(len(classes)) if len(classes) <= _NAMED else [probed.label, probed.target]
    axes.set_yticks(list(named), [classes[k] for k in named], fontsize=8)
    axes.tick_params(axis="y", length=0)


def _legend(probed: Probed) -> list[Line2D]:
    lines = [
        Line2D([], [], color=colour, linewidth=1.9, label=f"{what}: {probed.classes[k]}")
        for colour, what, k in (
            (_TARGET, "target class", probed.target),
            (_TRUE, "true class", probed.label),
        )
    ]
    lines.append(Line2D([], [], color=_OTHER, linewidth=0.9, label="other classes"))
    lines.append(Line2D([], [], color=_GREY, linestyle="--", linewidth=1.0, label="threshold"))
    courses = [c for traces in probed.stages for c in (traces.clean, traces.triggered)]
    if any((course.spikes < 0).any() for course in courses):
        lines.append(Line2D([], [], color=_GREY, linestyle="", marker="x", markersize=4,
                            label="spike taken back"))  # fmt: skip
    return lines
