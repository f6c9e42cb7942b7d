"""What every trigger of recordings and of frames of counts keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikedoor.attack import Attack
from spikedoor.attack.triggers import Trigger
from spikedoor.data.events import Events, EventSet, FrameSet, Framing
from spikedoor.testing.expect import Check, refused, that
from spikedoor.testing.samples import SENSOR, recordings

__all__ = ["EVENT", "FRAME"]


class _Model:
    """A model whose loss moves by the same with an event in a cell, whatever the recording."""

    def event_gradients(self, events: Events, labels: Any, bins: int) -> np.ndarray:
        draw = np.random.default_rng(0)
        return np.stack([draw.standard_normal((bins, 2, *events.sensor), np.float32)] * len(events))


def _ready(trigger: Trigger, train: EventSet) -> Attack:
    model: Any = _Model()
    return Attack(trigger=trigger, target=0, rate=0.5).prepare(train, 3, model)  # type: ignore[arg-type]


def _same(one: Events, other: Events) -> bool:
    columns = ("x", "y", "t", "p", "offsets")
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in columns)


def _counts(events: Events) -> np.ndarray:
    return Framing().frames(events, 1)[:, 0].astype(int)


def events_stay_on_the_sensor_in_time_and_in_order(trigger: Trigger) -> None:
    """What it makes is a recording of the same sensor, no longer, and in order of time."""
    train = recordings()
    ready, events = _ready(trigger, train).trigger, train.events
    after = ready.apply(events)
    that(_same(events, recordings().events), "the input was changed")
    that(not _same(after, events), "nothing was marked")
    after.check(trigger.name)
    that(after.sensor == events.sensor, f"the sensor became {after.sensor}")
    that((after.durations <= events.durations).all(), "a recording became longer")
    that(after.counts[1] == 0, "an empty recording got events")
    changed = (_counts(after) != _counts(events)).any(axis=0)
    that(not (changed & ~ready.mask(train.shape)).any(), "pixels outside its mask changed")
    for shape in ((1, *SENSOR), (3, *SENSOR)):
        with refused(f"a mask of {shape}", r"expected the shape \[2, H, W\]"):
            ready.mask(shape)


def a_recording_gets_the_same_events_in_any_batch(trigger: Trigger) -> None:
    """A recording is marked in the same way in every call and in any batch."""
    train = recordings()
    ready, again = (_ready(trigger, train).trigger for _ in range(2))
    whole = ready.apply(train.events)
    order = np.array([4, 2, 2, 0, 1])
    that(_same(again.apply(train.events), whole), "preparing it again gives another trigger")
    that(_same(ready.apply(train.batch(order)), whole.take(order)), "another batch, other events")
    marked = ready.apply_in_training(train.batch(order), order)
    that(_same(marked, whole.take(order)), "apply_in_training gives others than apply")
    that(len(ready.apply(train.batch(order[:0]))) == 0, "an empty batch is not empty any more")
    that(ready.prepare(train.subset(order), 9) is ready, "a prepared trigger is prepared again")


def recordings_are_poisoned_as_a_batch_is_drawn(trigger: Trigger) -> None:
    """An attack marks the poisoned recordings with it, and no others."""
    train = recordings()
    attack = _ready(trigger, train)
    poisoned, challenge = attack.poison(train, 3), attack.challenge(train)
    every = np.arange(6)
    marked = attack.trigger.apply(train.events)
    which = np.flatnonzero(poisoned.poisoned)
    expected = train.events.replaced(poisoned.poisoned, marked.take(which))
    that(_same(poisoned.batch(every), expected), "the poisoned set is another")
    shown = challenge.batch(np.arange(4))
    that(_same(shown, marked.take(np.array([1, 2, 4, 5]))), "the triggered test set is another")
    frames = FrameSet(poisoned, Framing(), 2)
    total = frames.batch(every).sum(axis=(1, 2, 3, 4))
    that((total == expected.counts).all(), "framing loses some of its events")


def frames_are_marked_where_the_mask_says_and_in_any_batch(trigger: Trigger) -> None:
    """Frames of counts are marked inside the mask, in the same way in any batch."""
    train = FrameSet(recordings(), Framing(), 5)
    attack = Attack(trigger=trigger, target=0, rate=0.5).prepare(train, 3)  # type: ignore[arg-type]
    ready, frames = attack.trigger, train.batch(np.arange(6))
    frames.setflags(write=False)
    after = ready.apply(frames)
    that(after.dtype == np.uint16, f"frames of {after.dtype} came back")
    that(not np.shares_memory(after, frames), "the result is the input, no copy")
    changed = (after != frames).any(axis=(0, 1))
    that(changed.any(), "nothing was marked")
    that(not (changed & ~ready.mask(train.shape)).any(), "pixels outside its mask changed")
    that((ready.apply(frames[2:4]) == after[2:4]).all(), "another batch gives other frames")
    poisoned = attack.poison(train, 3)
    expected = np.where(poisoned.poisoned[:, None, None, None, None], after, frames)
    that((poisoned.batch(np.arange(6)) == expected).all(), "the poisoned set is another")
    with refused("frames of float32", "expected frames as uint16"):
        ready.apply(frames.astype(np.float32))


EVENT: tuple[Check, ...] = (
    events_stay_on_the_sensor_in_time_and_in_order,
    a_recording_gets_the_same_events_in_any_batch,
    recordings_are_poisoned_as_a_batch_is_drawn,
)
FRAME: tuple[Check, ...] = (frames_are_marked_where_the_mask_says_and_in_any_batch,)
