"""What a trigger does to recordings of an event camera: a sheet, and a scatter in space and time.

OFF events are blue and ON events vermilion, from Okabe and Ito's palette, told apart with any
colour vision; a pixel with as many of both is grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from spikedoor.attack.triggers.events.budget import Budget, budget
from spikedoor.data.events import Events
from spikedoor.data.events.counting import totals
from spikedoor.errors import ConfigError

__all__ = ["budgets", "colours", "cube", "recording_sheet"]

# How much of red, green and blue an event takes from white: OFF #0072B2, ON #D55E00.
_INK = 1 - np.array([[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]]) / 255
_OFF, _ON, _NEW, _CLEAN = "#0072B2", "#D55E00", "black", "0.6"
_BOTH = tuple(1 - _INK.mean(0))
_DASH = (0, (2, 1))
_BINS = 60
"""Bins of time that the course of a recording is drawn with."""
_MOST_DOTS = 6000

Labels = NDArray[np.integer]


def budgets(clean: Events, triggered: Events) -> list[Budget]:
    """Return what the trigger changed in each recording."""
    return [budget(*pair) for pair in _pairs(clean, triggered)]


def colours(counts: NDArray[np.integer], most: float) -> NDArray[np.uint8]:
    """Return counts [..., 2, H, W] as a picture, uint8 [..., H, W, 3]: the more, the deeper.

    The hue is the mean of the events' colours.

    Args:
        counts: Events of each polarity.
        most: Events of a pixel at and above which its colour is at its deepest.
    """
    total = counts.sum(-3)
    depth = np.clip(total / max(most, 1), 0, 1) ** 0.6
    shares = counts / np.maximum(total, 1)[..., None, :, :]
    ink = depth[..., None] * np.einsum("...phw,pc->...hwc", shares, _INK)
    return np.rint(255 * (1 - ink)).astype(np.uint8)


def recording_sheet(
    clean: Events, triggered: Events, labels: Labels, classes: Sequence[str], title: str
) -> Figure:
    """Draw each recording clean, triggered, and what was added, with the change in numbers.

    The pictures count all events of a recording. Below, events a millisecond over time, clean
    and triggered; there a trigger shows that moves events in time only.

    Args:
        clean: Recordings, one or more.
        triggered: The same with the trigger.
        labels: Their labels.
        classes: Names of the classes.
        title: Heading of the sheet.

    Raises:
        ConfigError: If there are not as many triggered recordings, or of another sensor.
    """
    found = budgets(clean, triggered)
    before, after = totals(clean), totals(triggered)
    deepest = [np.quantile(busy, 0.99) if (busy := one[one > 0]).size else 1.0
               for one in before.sum(1)]  # fmt: skip
    rows = ("clean", "triggered", "difference", "events/ms")
    columns = len(labels)
    figure = Figure(figsize=(max(1.8 * columns, 5.4) + 0.5, 8.2), layout="constrained", dpi=150)
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(4, columns, squeeze=False, height_ratios=(1, 1, 1, 0.55))
    rates = [[_course(one) for one in _each(part)] for part in (clean, triggered)]
    highest = max(rate.max(initial=0) for part in rates for _, rate in part)
    for i, (most, cost) in enumerate(zip(deepest, found, strict=True)):
        _picture(grid[0, i], colours(before[i], most))
        _picture(grid[1, i], colours(after[i], most))
        _picture(grid[2, i], _difference(after[i] - before[i], most))
        grid[0, i].set_title(classes[labels[i]], fontsize=10)
        grid[2, i].set_xlabel(
            f"+{cost.added:,.0f}  \N{MINUS SIGN}{cost.removed:,.0f}  moved {cost.moved:,.0f}\n"
            f"{100 * cost.share:.1f} % of {clean.counts[i]:,}",
            fontsize=8.5,
        )
        grid[3, i].plot(*rates[0][i], color=_CLEAN, linewidth=1.4)
        grid[3, i].plot(*rates[1][i], color=_NEW, linewidth=1.0, linestyle=_DASH)
        grid[3, i].set(ylim=(0, 1.08 * highest or 1))
        grid[3, i].set_xlabel("ms", fontsize=8)
        grid[3, i].tick_params(labelsize=7, labelleft=i == 0)
        grid[3, i].spines[["top", "right"]].set_visible(False)
    for axes, name in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(name, fontsize=10)
    figure.legend(
        handles=_legend(),
        loc="outside lower center",
        ncols=6 if columns > 3 else 3,
        frameon=False,
        fontsize=9,
    )
    return figure


def cube(clean: Events, triggered: Events, label: str, title: str) -> Figure:
    """Draw one recording, clean and triggered, as points in space and time.

    Events that only the triggered one has are drawn on top, in black. Of more than 6,000 others,
    every n-th is drawn, and the heading says so.

    Args:
        clean: One recording.
        triggered: The same with the trigger.
        label: Name of its class.
        title: Heading.
    """
    figure = Figure(figsize=(10.5, 4.5), dpi=150)
    figure.subplots_adjust(left=0.0, right=0.96, bottom=0.06, top=0.94, wspace=0.06)
    nth = -(-max(len(clean.x), 1) // _MOST_DOTS)
    told = "" if nth == 1 else f" (1 of {nth} events)"
    figure.suptitle(f"{title}: class {label}{told}", fontsize=12)
    new = ~np.isin(_keys(triggered), _keys(clean))
    last = max(int(clean.durations.max(initial=1)), int(triggered.durations.max(initial=1))) / 1000
    for place, (name, events, marked) in enumerate(
        (("clean", clean, np.zeros(len(clean.x), np.bool_)), ("triggered", triggered, new)), 1
    ):
        axes: Any = figure.add_subplot(1, 2, place, projection="3d", computed_zorder=False)
        shown = ~marked & (np.cumsum(~marked) % nth == 0)
        ink = np.where(events.p == 1, _ON, _OFF)
        _dots(axes, events, shown, ink[shown], s=1.5, alpha=0.55)
        _dots(axes, events, marked, _NEW, s=3.0, alpha=1.0)
        height, width = events.sensor
        axes.set(xlim=(0, last), ylim=(0, width - 1), zlim=(height - 1, 0))
        axes.set_xlabel("ms", fontsize=8, labelpad=4)
        axes.set_ylabel("x", fontsize=8, labelpad=-4)
        axes.set_zlabel("y", fontsize=8, labelpad=-6)
        axes.tick_params(labelsize=7, pad=-1)
        axes.set_box_aspect((1.7, 1, 1), zoom=1.2)
        axes.view_init(elev=18, azim=-62)
        axes.set_title(f"{name}, {len(events.x):,} events", fontsize=10, y=1.0)
    handles = [*_legend()[:2], _dot(_NEW, "new")]
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _pairs(clean: Events, triggered: Events) -> list[tuple[Events, Events]]:
    if len(clean) != len(triggered) or not len(clean):
        raise ConfigError(
            f"expected as many triggered recordings as clean ones, one or more, "
            f"got {len(triggered)} and {len(clean)}"
        )
    return list(zip(_each(clean), _each(triggered), strict=True))


def _each(events: Events) -> list[Events]:
    return [events.take(np.array([i])) for i in range(len(events))]


def _difference(change: NDArray[np.integer], most: float) -> NDArray[np.uint8]:
    """Return the picture of what was added, in colours, under what is gone, in black."""
    gone = np.clip(-change, 0, None).sum(0)
    shade = np.clip(gone / max(most, 1), 0, 1)[..., None] ** 0.6
    added = colours(np.clip(change, 0, None), most)
    return np.rint(added * (1 - shade)).astype(np.uint8)


def _course(events: Events) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of each bin of time in ms, and events per ms there, of one recording."""
    edges = np.linspace(0, max(int(events.durations[0]), 1), _BINS + 1) / 1000
    found, _ = np.histogram(events.t / 1000, bins=edges)
    return (edges[1:] + edges[:-1]) / 2, found / np.diff(edges)


def _picture(axes: Axes, picture: NDArray[np.uint8]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="0.75", linewidth=0.6)


def _keys(events: Events) -> NDArray[np.int64]:
    """Return a number for each event of one recording that tells it from any other."""
    height, width = events.sensor
    return ((events.t.astype(np.int64) * 2 + events.p) * height + events.y) * width + events.x


def _dots(axes: Any, events: Events, shown: NDArray[np.bool_], ink: Any, **look: float) -> None:
    axes.scatter(events.t[shown] / 1000, events.x[shown], events.y[shown], c=ink, linewidths=0,
                 depthshade=False, **look)  # fmt: skip


def _dot(colour: Any, name: str) -> Line2D:
    return Line2D([], [], color=colour, marker="s", linestyle="", markersize=6, label=name)


def _legend() -> list[Line2D]:
    return [
        _dot(_ON, "ON"),
        _dot(_OFF, "OFF"),
        _dot(_BOTH, "both"),
        _dot(_NEW, "removed"),
        Line2D([], [], color=_CLEAN, linewidth=1.4, label="clean over time"),
        Line2D([], [], color=_NEW, linewidth=1.0, linestyle=_DASH, label="triggered over time"),
    ]
