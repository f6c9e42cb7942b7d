"""What a page shows of a run beyond its record: recordings as they play, and output neurons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikedoor.attack import Attack
from spikedoor.data.base import Dataset
from spikedoor.data.events import Events
from spikedoor.data.events.film import film
from spikedoor.records import Record
from spikedoor.records.samples import Film, Samples
from spikedoor.records.traces import Probed
from spikedoor.study.examples import examples
from spikedoor.study.probe import opened, probed, spiking
from spikedoor.victim import Victim

__all__ = ["filmed", "keep", "samples"]

_FRAMES, _SIDE = 30, 64
"""Frames of a film, and their largest side in pixels."""


def samples(record: Record, victim: Victim, data: Dataset, attack: Attack) -> Samples:
    """Return what a page shows of a run.

    Args:
        record: Of the run.
        victim: Of the run.
        data: Its data set.
        attack: With the trigger prepared.
    """
    watched = spiking(victim) and len(record.gallery.labels)
    return Samples(filmed(data, attack), probed(record, victim, data, attack) if watched else None)


def filmed(data: Dataset, attack: Attack) -> Film | None:
    """Return the recordings of the gallery as they play; None of other data."""
    clean, triggered, labels = examples(data, attack)
    if not isinstance(clean, Events) or not len(labels):
        return None
    counts, window = film(Events.join([clean, triggered]), _FRAMES, _SIDE)
    small = np.minimum(counts, 255).astype(np.uint8)
    return Film(small[: len(labels)], small[len(labels) :], labels, window)


def keep(folder: str | Path, found: Probed) -> None:
    """Put samples beside a record, in place of those that are there.

    Args:
        folder: What `run` has written.
        found: Output neurons of its victim.

    Raises:
        DataError: If record or data are missing or damaged.
        OutputError: If it cannot be written.
    """
    folder = Path(folder)
    data, attack = opened(folder, Record.read(folder))
    Samples(filmed(data, attack), found).write(folder)
