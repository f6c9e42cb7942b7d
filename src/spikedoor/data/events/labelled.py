"""Recordings with their classes: a set to train or to test on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import checked_indices
from spikedoor.data.events.recordings import Events
from spikedoor.errors import ConfigError, DataError

__all__ = ["EventSet"]


@final
@dataclass(frozen=True, eq=False)
class EventSet:
    """Hold labelled recordings; the counterpart of `ImageSet`.

    A set may be some of the recordings that `events` holds, so that the parts of a set share
    columns that are mapped, and dividing a set reads and copies none of them.

    Shapes:
        events: M recordings, M = N without `rows`.
        labels: int64 [N], in 0 to len(classes) - 1.
        rows: int64 [N], in 0 to M - 1, which of `events` are the set's; None for all, in order.

    Args:
        simulated: Whether no camera has seen them.

    Raises:
        ConfigError: If there are no class names, or one comes twice.
        DataError: If there are not as many labels as recordings, a label has no class, or rows
            name none of the recordings.
    """

    modality: ClassVar[Literal["event"]] = "event"

    events: Events = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]
    name: str
    simulated: bool = False
    rows: NDArray[np.int64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ConfigError(f"{self.name}: expected distinct class names, got {self.classes}")
        labels, rows = self.labels, self.rows
        count = len(self.events)
        if rows is not None:
            rows = checked_indices(self.name, rows, count).astype(np.int64)
            rows.flags.writeable = False
            object.__setattr__(self, "rows", rows)
            count = len(rows)
        if labels.dtype != np.int64 or labels.shape != (count,):
            raise DataError(
                f"{self.name}: expected labels as int64 [{count}], "
                f"found {labels.dtype} {list(labels.shape)}"
            )
        for label in labels[(labels < 0) | (labels >= len(self.classes))][:1]:
            raise DataError(
                f"{self.name}: expected labels in 0..{len(self.classes) - 1}, found {label}"
            )
        view = labels.view()
        view.flags.writeable = False
        object.__setattr__(self, "labels", view)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a frame of counts: the two polarities, height, width."""
        return 2, *self.events.sensor

    @property
    def clean(self) -> EventSet:
        """The set before any poisoning: this one."""
        return self

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.integer]) -> Events:
        """Return recordings, in arrays of their own.

        Raises:
            DataError: If the indices are not whole numbers in ``0..N - 1``.
        """
        taken = self.events.take(self._rows_at(indices))
        self.events.let_go()
        return taken

    def subset(self, indices: NDArray[np.integer]) -> EventSet:
        """Return the recordings at some indices, in their order, as a set on the same columns.

        Raises:
            DataError: If the indices are not whole numbers in ``0..N - 1``.
        """
        rows = self._rows_at(indices)
        return replace(self, labels=self.labels[indices], rows=rows)

    def pooled(self, other: EventSet, name: str) -> EventSet:
        """Return these recordings and those of another set with the same classes."""
        labels = np.concatenate([self.labels, other.labels])
        rows = [part._rows_at(np.arange(len(part))) for part in (self, other)]
        events = self.events
        if events is not other.events:
            events = Events.join([self.events, other.events])
            rows[1] = rows[1] + len(self.events)
        return replace(self, events=events, labels=labels, rows=np.concatenate(rows), name=name)

    def _rows_at(self, indices: NDArray[np.integer]) -> NDArray[np.integer]:
        chosen = checked_indices(self.name, indices, len(self))
        return chosen if self.rows is None else self.rows[chosen]
