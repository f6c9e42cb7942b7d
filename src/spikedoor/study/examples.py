"""Samples to look at: of different classes, clean and triggered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack import Attack
from spikedoor.data.base import Dataset
from spikedoor.data.events import Events
from spikedoor.data.events.film import film
from spikedoor.data.events.pictures import pictures
from spikedoor.records import Gallery
from spikedoor.records.samples import Film

__all__ = ["examples", "filmed", "gallery"]

_FRAMES, _SIDE = 30, 64
"""Frames of a film, and their largest side in pixels."""


def gallery(data: Dataset, attack: Attack, count: int = 6) -> Gallery:
    """Return the first test samples of different classes that the attack can turn.

    Recordings and frames are shown as `pictures`, all their time in one.
    """
    clean, triggered, labels = examples(data, attack, count)
    return Gallery(pictures(clean), pictures(triggered), labels)


def examples(data: Dataset, attack: Attack, count: int = 6) -> tuple[Any, Any, NDArray[np.int64]]:
    """Return the first test samples of different classes that the attack can turn.

    Returns:
        A batch of them clean, the same triggered, and their true labels.
    """
    challenge = attack.challenge(data.test)
    _, first = np.unique(challenge.true_labels, return_index=True)
    chosen = np.sort(first)[:count]
    clean = data.test.batch(challenge.indices[chosen])
    return clean, challenge.batch(chosen), np.array(challenge.true_labels[chosen])


def filmed(data: Dataset, attack: Attack) -> Film | None:
    """Return the recordings of the gallery as they play; None of other data."""
    clean, triggered, labels = examples(data, attack)
    if not isinstance(clean, Events) or not len(labels):
        return None
    counts, window = film(Events.join([clean, triggered]), _FRAMES, _SIDE)
    small = np.minimum(counts, 255).astype(np.uint8)
    return Film(small[: len(labels)], small[len(labels) :], labels, window)
