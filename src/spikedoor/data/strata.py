"""Draw samples so that every class keeps its share; or evenly spaced ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_come", "fold", "quotas", "split", "spread"]


def quotas(counts: NDArray[np.integer], total: int) -> NDArray[np.int64]:
    """Share a total out among classes in proportion to their counts, by largest remainders.

    Class ``k`` gets ``floor(total * counts[k] / sum(counts))``; what is left goes, one each, to
    the classes with the largest remainders (of equal ones, to the lower label). No class gets
    more than it has.

    Args:
        counts: Samples of each class.
        total: Samples to share out, at most the sum of the counts.
    """
    whole, remainder = np.divmod(np.asarray(counts, np.int64) * total, max(int(np.sum(counts)), 1))
    largest = np.argsort(-remainder, kind="stable")[: total - int(whole.sum())]
    whole[largest] += 1
    return whole


def first_come(labels: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Return, in order, the indices of the first samples of each class that fill its quota.

    Args:
        labels: Label of each sample.
        total: Samples wanted; all are returned when there are no more than that.
    """
    if total >= len(labels):
        return np.arange(len(labels))
    counts = np.bincount(labels)
    by_class = np.argsort(labels, kind="stable")
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[rank < np.repeat(quotas(counts, total), counts)])


def fold(
    labels: NDArray[np.int64], number: int, folds: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide indices for cross-validation: every class, and the whole, evenly to within one.

    In order of the classes, and within a class in their own order, samples go to the folds in
    turn. Nothing is random.

    Args:
        labels: Label of each sample.
        number: Fold to hold out, from 0 on.
        folds: Number of folds.

    Returns:
        Indices that stay and indices held out, each in rising order.
    """
    out = np.sort(np.argsort(labels, kind="stable")[number::folds])
    return np.setdiff1d(np.arange(len(labels)), out, assume_unique=True), out


def split(
    labels: NDArray[np.int64], held_out: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split indices at random, every class in proportion, into the rest and those held out.

    Args:
        labels: Label of each sample.
        held_out: Samples to hold out.
        rng: Source of the order.

    Returns:
        Indices that stay and indices held out, each in rising order.
    """
    order = rng.permutation(len(labels))
    out = np.sort(order[first_come(labels[order], held_out)])
    return np.setdiff1d(np.arange(len(labels)), out, assume_unique=True), out


def spread(count: int, samples: int) -> NDArray[np.int64]:
    """Return evenly spaced indices of some samples of a set; all where there are no more."""
    return np.linspace(0, count, min(samples, count), endpoint=False).astype(np.int64)
