"""What every source of data keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikedoor.data.base import Dataset
from spikedoor.data.source import DataSource
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, run, that
from spikedoor.testing.parts import with_fields

__all__ = ["CHECKS", "check_source"]


def loads_a_training_and_a_test_set_of_one_kind(source: DataSource) -> None:
    """Training and test set have the same classes, shape and modality, and neither is empty."""
    data = source.load()
    that(isinstance(data, Dataset), f"expected a Dataset, got {data!r}")
    train, test = data.train, data.test
    for part, samples in (("training", train), ("test", test)):
        that(len(samples) > 0, f"the {part} set is empty")
        that(samples.modality == source.modality, f"the {part} set holds {samples.modality}s")
        that(samples.labels.dtype == np.int64, f"labels of {samples.labels.dtype}")
    that(train.classes == test.classes, f"classes {train.classes} and {test.classes}")
    that(train.shape == test.shape, f"shapes {train.shape} and {test.shape}")


def loads_the_same_again(source: DataSource) -> None:
    """Loading it twice gives the same samples, labels and checksums."""
    one, other = source.load(), source.load()
    that(one.checksums, "no checksum of what it read")
    that(one.checksums == other.checksums, "other checksums")
    for first, second in ((one.train, other.train), (one.test, other.test)):
        that(np.array_equal(first.labels, second.labels), "other labels")
        every = np.arange(min(len(first), 50))
        that(_content(first.batch(every)) == _content(second.batch(every)), "other samples")


def limits_keep_the_classes_in_proportion(source: DataSource) -> None:
    """`train_limit` and `test_limit` keep so many samples, of every class its share."""
    whole = source.load()
    limit = max(len(whole.train) // 2, 1)
    kept = with_fields(source, train_limit=limit, test_limit=1).load()
    that(len(kept.train) == limit, f"{len(kept.train)} training samples for a limit of {limit}")
    that(len(kept.test) == 1, f"{len(kept.test)} test samples for a limit of 1")
    classes = len(whole.train.classes)
    before, after = (np.bincount(s.train.labels, minlength=classes) for s in (whole, kept))
    share = limit / len(whole.train)
    that((np.abs(after - share * before) < 1).all(), f"of {before} by class were kept {after}")


def _content(batch: Any) -> bytes:
    if isinstance(batch, np.ndarray):
        return batch.tobytes()
    return b"".join(column.tobytes() for column in (batch.x, batch.y, batch.t, batch.p))


CHECKS: tuple[Check, ...] = (
    loads_a_training_and_a_test_set_of_one_kind,
    loads_the_same_again,
    limits_keep_the_classes_in_proportion,
)


def check_source(member: DataSource | type[DataSource]) -> None:
    """Check what sources of data keep; its files must be there.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, DataSource))
