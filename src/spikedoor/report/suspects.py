"""The contact sheet of an audit of data: the worst samples, each with its class and its name."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from spikedoor.data.events.pictures import pictures
from spikedoor.report.images import show

__all__ = ["contact_sheet"]

_COLUMNS = 8
_ABOVE, _BELOW = 17, 22  # letters that fit above and below a picture
_LETTER = 0.1  # inches that one of the title takes


def contact_sheet(samples: Any, captions: Sequence[tuple[str, str]], title: str) -> Figure:
    """Draw samples in as few rows of up to eight as they fill, in the order given.

    Args:
        samples: A batch of images, recordings or frames, one or more; see `pictures`.
        captions: Of each, its class, set above it, and its name, set below.
        title: Heading of the sheet.
    """
    shown = pictures(samples)
    rows = -(-len(shown) // _COLUMNS)
    columns = -(-len(shown) // rows)
    width = 1.5 * columns + 0.2
    heading = textwrap.wrap(_plain(title), int(width / _LETTER))
    height = 1.95 * rows + 0.4 + 0.2 * len(heading)
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    figure.suptitle("\n".join(heading), fontsize=11, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, picture, (label, name) in zip(grid, shown, captions, strict=False):
        show(axes, picture)
        axes.set_title(_plain(_short(label, _ABOVE)), fontsize=9, parse_math=False)
        axes.set_xlabel(_plain(_short(name, _BELOW)), fontsize=7, parse_math=False)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    return figure


def _short(text: str, letters: int) -> str:
    """Return the end of a text, which tells files of one folder apart."""
    return text if len(text) <= letters else "…" + text[1 - letters :]


def _plain(text: str) -> str:
    """Return a text with marks in place of what matplotlib's own font cannot show."""
    known = _glyphs()
    return "".join(c if c.isprintable() and ord(c) in known else "?" for c in text)


def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
