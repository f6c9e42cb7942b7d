"""The one style of all figures for papers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from matplotlib import rc_context

__all__ = ["GREY", "ONE_COLUMN", "TWO_COLUMNS", "Look", "look", "style"]

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.16
"""Widths of figures in inches, as in journals of the IEEE."""
GREY = "0.35"
# Okabe and Ito's palette without yellow, which is lost on white paper.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


class Look(NamedTuple):
    """Colour and marker; the marker alone tells series apart in grey."""

    colour: str
    marker: str


def look(number: int) -> Look:
    """Return the look of a series by its place in the legend; 84 differ."""
    return Look(_COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)])


@contextmanager
def style() -> Iterator[None]:
    """Draw and save the block's figures alike: small sans serif, thin lines, text kept as text."""
    with rc_context(
        {
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 7,
            "legend.frameon": False,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "0.9",
            "grid.linewidth": 0.5,
            "lines.linewidth": 1.1,
            "lines.markersize": 3.5,
            "errorbar.capsize": 1.5,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "figure.dpi": 200,
            "savefig.dpi": 300,
            "pdf.fonttype": 42,
            "svg.fonttype": "none",
        }
    ):
        yield
