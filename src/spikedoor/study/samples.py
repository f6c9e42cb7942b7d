"""What a page shows of a run beyond its record: recordings as they play, and output neurons."""

from __future__ import annotations

from pathlib import Path

from spikedoor.attack import Attack
from spikedoor.data.base import Dataset
from spikedoor.records import Record
from spikedoor.records.samples import Samples
from spikedoor.records.traces import Probed
from spikedoor.study.examples import filmed
from spikedoor.study.probe import opened, probed, spiking
from spikedoor.victim import Victim

__all__ = ["keep", "samples"]


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
