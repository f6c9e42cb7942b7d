"""What a trigger does to samples, to look at and in numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikedoor.records import Gallery
from spikedoor.report.images import difference, show

__all__ = ["Change", "changes", "sheet"]


class Change(NamedTuple):
    """How much a trigger changed one image; levels run from 0 to 255."""

    pixels: int
    """Places (y, x) at which any channel changed."""
    share: float
    """The same as a share of all places."""
    mean: float
    """Mean absolute change of a level over the whole image."""
    largest: int
    """Largest absolute change of a level."""

    def __str__(self) -> str:
        return (
            f"{self.pixels} px ({100 * self.share:.1f} %), "
            f"mean change {self.mean:.2f}, largest {self.largest}"
        )


def changes(gallery: Gallery) -> list[Change]:
    """Return how much each sample changed."""
    return [_change(*pair) for pair in zip(gallery.clean, gallery.triggered, strict=True)]


def _change(clean: NDArray[np.uint8], triggered: NDArray[np.uint8]) -> Change:
    moved = difference(clean, triggered)
    places = moved.any(axis=0)
    return Change(int(places.sum()), float(places.mean()), float(moved.mean()), int(moved.max()))


def sheet(gallery: Gallery, classes: tuple[str, ...], title: str) -> Figure:
    """Draw each sample clean, triggered, and the difference, magnified, with the change in numbers.

    Args:
        gallery: The samples.
        classes: Names of the classes.
        title: Heading of the sheet.
    """
    count = len(gallery.labels)
    figure = Figure(figsize=(max(1.7 * count, 5.0) + 0.4, 6.4), layout="constrained", dpi=150)
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(3, count, squeeze=False)
    for column, change in enumerate(changes(gallery)):
        clean, triggered = gallery.clean[column], gallery.triggered[column]
        pictures = (clean, triggered, difference(clean, triggered))
        for axes, picture in zip(grid[:, column], pictures, strict=True):
            show(axes, picture)
        grid[0, column].set_title(classes[gallery.labels[column]], fontsize=10)
        grid[2, column].set_xlabel(
            f"{change.pixels} px ({100 * change.share:.1f} %)\n"
            f"mean {change.mean:.2f}\nlargest {change.largest}",
            fontsize=8.5,
        )
    for axes, name in zip(grid[:, 0], ("clean", "triggered", "difference"), strict=True):
        axes.set_ylabel(name, fontsize=10)
    return figure
