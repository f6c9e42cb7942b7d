"""The picture of one or more records: the trigger, and what came of it step by step."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from spikedoor.errors import OutputError
from spikedoor.files import write_file
from spikedoor.metrics import Rate, Scores
from spikedoor.records import Gallery, Record
from spikedoor.report.images import difference, show
from spikedoor.report.rows import label

__all__ = ["FORMATS", "check_picture", "overview", "save"]

# Okabe and Ito's palette, told apart with any colour vision.
_ACCURACY, _SUCCESS, _GREY = "#0072B2", "#D55E00", "0.35"
FORMATS = ("png", "svg", "pdf")
"""Endings of pictures that can be written."""


def overview(records: Sequence[Record]) -> Figure:
    """Draw the samples of the first record, and below a panel for each record.

    A panel shows clean accuracy and ASR of each spiking stage after each step, with 95 % bands;
    the level of the ANN it came from; and the ASR of the clean twin after the last step.
    """
    figure = Figure(figsize=(max(4.0 * len(records), 6.5), 6.6), layout="constrained", dpi=150)
    figure.suptitle(_heading(records[0]), fontsize=12)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.7], hspace=0.06)[
        :, 0
    ]
    _samples(upper, records[0].gallery, records[0].evaluation.classes)
    panels = lower.subplots(1, len(records), sharey=True, squeeze=False)[0]
    for axes, record in zip(panels, records, strict=True):
        other = record.data["name"] != records[0].data["name"]
        _panel(axes, record, f"\non {record.data['name']}" if other else "")
    panels[0].set_ylabel("clean accuracy, ASR (%)")
    near_chance = any(score.diverged for record in records for score in _spiking_scores(record))
    told = "No ASR is drawn where clean accuracy is near chance." if near_chance else None
    lower.legend(handles=_legend(records), title=told, title_fontsize=8.5, fontsize=9,
                 loc="outside lower center", ncols=6, frameon=False, handlelength=2.4,
                 columnspacing=1.6)  # fmt: skip
    return figure


def _heading(record: Record) -> str:
    trigger = record.experiment["attack"]["trigger"]["name"]
    count, rate = record.poison["count"], 100 * record.poison["set_rate"]
    name = record.data["name"]
    return f"{name}: trigger '{trigger}' in {count:,} training samples ({rate:.1f} %)"


def _spiking(record: Record) -> list[str]:
    return [stage for stage in record.evaluation.stages if stage != "ann"]


def _spiking_scores(record: Record) -> list[Scores]:
    return [score for stage in _spiking(record) for score in record.evaluation.by_step(stage)]


def _samples(figure: SubFigure, gallery: Gallery, classes: tuple[str, ...]) -> None:
    kinds = {
        "clean": gallery.clean,
        "triggered": gallery.triggered,
        "difference": difference(gallery.clean, gallery.triggered),
    }
    for block, (name, images) in zip(
        figure.subfigures(1, 3, squeeze=False)[0], kinds.items(), strict=True
    ):
        block.suptitle(name, fontsize=11)
        grid = block.subplots(2, -(-len(images) // 2), squeeze=False).ravel()
        for axes, image, true in zip(grid, images, gallery.labels, strict=False):
            show(axes, image)
            axes.set_title(classes[true], fontsize=8, pad=2, color=_GREY)
        for axes in grid[len(images) :]:
            axes.set_axis_off()


def _panel(axes: Axes, record: Record, where: str) -> None:
    found = record.evaluation
    spiking = _spiking(record)
    if "ann" in found.stages:
        ann = found.scores("ann")
        for rate, colour in ((ann.clean_accuracy, _ACCURACY), (ann.attack_success, _SUCCESS)):
            if rate is not None:
                axes.axhline(100 * rate.value, color=colour, linestyle=":", linewidth=1.2)
    for stage in spiking:
        final = stage == spiking[-1]
        steps = found.by_step(stage)
        _course(axes, steps, [s.clean_accuracy for s in steps], _ACCURACY, final)
        _course(axes, steps, [s.attack_success for s in steps], _SUCCESS, final)
    last = found.scores(found.stages[-1])
    twin = found.twin_scores(found.stages[-1])
    if twin is not None and twin.attack_success is not None:
        level = 100 * twin.attack_success.value
        axes.axhline(level, color=_SUCCESS, linestyle="--", linewidth=1.2, zorder=2)
    axes.set_title(label(record.rule) + where, fontsize=11, loc="left", fontweight="bold", pad=18)
    axes.text(0, 1.02, _summary(last), transform=axes.transAxes, fontsize=8.5, color=_GREY)
    axes.set(xlabel="time step", ylim=(-4, 104), xlim=_span(last.step))
    axes.spines["left"].set_bounds(0, 100)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _span(steps: int) -> tuple[float, float]:
    margin = max(0.03 * steps, 0.2)
    return max(1 - margin, 0.5), steps + margin


def _summary(scores: Scores) -> str:
    success = scores.attack_success
    told = "diverged" if success is None else f"ASR {100 * success.value:.1f} %"
    return f"T = {scores.step}: accuracy {100 * scores.clean_accuracy.value:.1f} %, {told}"


def _course(
    axes: Axes, steps: list[Scores], rates: Sequence[Rate | None], colour: str, final: bool
) -> None:
    """Draw a rate over the steps, with a gap where it means nothing."""
    x = [score.step for score in steps]
    nothing = (np.nan, np.nan, np.nan)
    drawn = 100 * np.array([(r.value, *r.interval) if r else nothing for r in rates])
    marker = "o" if len(x) <= 16 else ""
    face = colour if final else "white"
    axes.fill_between(x, drawn[:, 1], drawn[:, 2], color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, drawn[:, 0], color=colour, linewidth=1.9 if final else 1.1, marker=marker,
              markersize=4.5, markerfacecolor=face, clip_on=False, zorder=3)  # fmt: skip


def _legend(records: Sequence[Record]) -> list[Line2D]:
    found = [record.evaluation for record in records]
    lines = [
        Line2D([], [], color=_ACCURACY, linewidth=1.9, label="clean accuracy"),
        Line2D([], [], color=_SUCCESS, linewidth=1.9, label="ASR"),
    ]
    if any(len(evaluation.stages) > 2 for evaluation in found):
        lines.append(Line2D([], [], color=_GREY, linewidth=1.1, marker="o", markersize=4.5,
                            markerfacecolor="white", label="before fine-tuning"))  # fmt: skip
    if any("ann" in evaluation.stages for evaluation in found):
        lines.append(Line2D([], [], color=_GREY, linestyle=":", linewidth=1.2, label="its ANN"))
    if any(evaluation.twin for evaluation in found):
        lines.append(
            Line2D([], [], color=_SUCCESS, linestyle="--", linewidth=1.2, label="ASR, clean twin")
        )
    return lines


def check_picture(path: str | Path, formats: Sequence[str] = FORMATS) -> Path:
    """Return the path if a picture can be written there, in one of some formats.

    Raises:
        OutputError: If it cannot.
    """
    path = Path(path)
    if path.suffix.lower().removeprefix(".") not in formats:
        *most, last = (f".{one}" for one in formats)
        raise OutputError(f"{path}: expected a name ending in {', '.join(most)} or {last}")
    if path.is_dir():
        raise OutputError(f"{path}: expected a file to write, found a folder")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")
    return path


def _numbered(svg: bytes) -> bytes:
    """Number the ids that matplotlib takes from memory addresses: equal figures, equal bytes."""
    found = dict.fromkeys(re.findall(rb'id="([a-z][0-9a-f]{10})"', svg))
    new = {old: b"%c%010d" % (old[0], i) for i, old in enumerate(found)}
    return re.sub(rb"\b[a-z][0-9a-f]{10}\b", lambda m: new.get(m[0], m[0]), svg)


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, SVG or PDF; equal figures give equal files.

    Raises:
        OutputError: If it cannot be written there, or the name has another ending.
    """
    path = check_picture(path)
    kind = path.suffix.lower().removeprefix(".")
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "spikedoor"}):
        figure.savefig(buffer, format=kind, metadata=undated)
    content = _numbered(buffer.getvalue()) if kind == "svg" else buffer.getvalue()
    write_file(path, content)
    return path
