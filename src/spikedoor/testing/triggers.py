"""What every trigger keeps; of images here, of recordings and frames in `event_triggers`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from spikedoor.attack import Attack
from spikedoor.attack.triggers import RandomTrigger, Trigger
from spikedoor.data.base import ImageSet
from spikedoor.data.events import FrameSet, Framing
from spikedoor.testing import components, event_triggers
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.samples import SENSOR, noise, recordings

__all__ = ["ALWAYS", "IMAGE", "check_trigger"]

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
_IN_TRAINING = ("apply_in_training", "apply_to_cover")


def prepared(trigger: Trigger, shape: tuple[int, int, int], seed: int = 3) -> Trigger:
    """Return the trigger, prepared with a few random images."""
    labels = np.arange(6, dtype=np.int64) % 3
    return trigger.prepare(ImageSet(noise(shape, 6), labels, ("a", "b", "c"), "random"), seed)


def keeps_shape_and_type_and_leaves_its_input(trigger: Trigger) -> None:
    """It returns changed copies of the same shape and type and leaves its input as it was."""
    for shape in SHAPES:
        before = noise(shape)
        given = before.copy()
        given.setflags(write=False)
        after = prepared(trigger, shape).apply(given)
        that(after.dtype == np.uint8, f"images of {after.dtype} came back")
        that(after.shape == before.shape, f"of {before.shape} came {after.shape}")
        that(not np.shares_memory(after, given), "the result is the input, no copy")
        that(after.flags.writeable, "the result cannot be written to")
        that((given == before).all(), "the input was changed")
        that((after != before).any(), f"nothing was marked in images of {shape}")


def changes_only_what_its_mask_covers(trigger: Trigger) -> None:
    """It changes only what its mask covers, bool of an image's shape."""
    for shape in SHAPES:
        ready, before = prepared(trigger, shape), noise(shape)
        mask = ready.mask(shape)
        that(mask.dtype == np.bool_, f"a mask of {mask.dtype}")
        that(mask.shape == shape, f"a mask {mask.shape} for images {shape}")
        changed = (ready.apply(before) != before).any(axis=0)
        outside = int((changed & ~mask).sum())
        that(not outside, f"{outside} values outside of it changed in images of {shape}")


def equal_for_equal_calls_and_for_any_batch(trigger: Trigger) -> None:
    """An image is marked in the same way in every call and in any batch, the empty one too."""
    for shape in SHAPES:
        ready, before = prepared(trigger, shape), noise(shape)
        whole = ready.apply(before)
        that((ready.apply(before) == whole).all(), "a second call gives other images")
        that((ready.apply(before[1:3]) == whole[1:3]).all(), "another batch gives other images")
        that(ready.apply(before[:0]).shape == (0, *shape), "an empty batch changes its shape")


def preparing_is_reproducible_and_happens_once(trigger: Trigger) -> None:
    """Preparing follows from its arguments, and a prepared trigger stays what it is."""
    shape = SHAPES[-1]
    before = noise(shape)
    first, again = prepared(trigger, shape), prepared(trigger, shape)
    that((first.apply(before) == again.apply(before)).all(), "equal seeds give other triggers")
    other = ImageSet(noise(shape, 2), np.zeros(2, dtype=np.int64), ("a",), "other")
    once = first.prepare(other, 9).apply(before)
    that((once == first.apply(before)).all(), "preparing it again changes it")


def in_training_a_sample_looks_the_same_in_any_batch(trigger: Trigger) -> None:
    """In training, poison and cover samples follow from image and index alone."""
    for how in _IN_TRAINING:
        for shape in SHAPES:
            _marks_by_index(trigger, shape, how)


def _marks_by_index(trigger: Trigger, shape: tuple[int, int, int], how: str) -> None:
    ready, before = prepared(trigger, shape), noise(shape, 8)
    mark = getattr(ready, how)
    indices = np.array([3, 40_000, 0, 17, 5, 4, 9, 11])
    given = before.copy()
    given.setflags(write=False)
    whole = mark(given, indices)
    that(whole.dtype == np.uint8, f"{how} gives {whole.dtype}")
    that(whole.shape == before.shape, f"{how} makes {whole.shape} of {before.shape}")
    that(not np.shares_memory(whole, given), f"{how} returns its input, no copy")
    that((given == before).all(), f"{how} changes its input")
    order = np.array([6, 1, 1, 4])
    alike = (mark(before[order], indices[order]) == whole[order]).all()
    that(alike, f"{how} gives other images in another batch")
    that(mark(before[:0], indices[:0]).shape == (0, *shape), f"{how} of an empty batch")
    changed = (whole != before).any(axis=0)
    that(changed.any(), f"{how} marks nothing")
    if how == "apply_in_training":
        that(not (changed & ~ready.mask(shape)).any(), f"{how} changes what is not in the mask")


def prepared_has_the_plain_configuration_and_survives_copies(trigger: Trigger) -> None:
    """What is prepared is no field, and goes with copies and pickles of the trigger."""
    ready = prepared(trigger, SHAPES[-1])
    that(ready.to_dict() == trigger.to_dict(), "a prepared trigger has other fields")
    that(ready == trigger, "a prepared trigger is not equal to the plain one")
    that(hash(ready) == hash(trigger), "a prepared trigger has another hash")
    before = noise(SHAPES[-1])
    expected = ready.apply(before)
    for copied in (ready.model_copy(), pickle.loads(pickle.dumps(ready))):
        that((copied.apply(before) == expected).all(), "a copy marks in another way")


def random_parts_are_refused_unprepared_and_differ_by_seed(trigger: Trigger) -> None:
    """One with random parts (`RandomTrigger`) needs a seed; another is prepared as it stands."""
    shape = SHAPES[-1]
    before, indices = noise(shape), np.arange(4)
    if not isinstance(trigger, RandomTrigger):
        that(trigger.prepare(None, 3) is trigger, "prepare returns another trigger")  # type: ignore[arg-type]
        return
    marks = [getattr(trigger, how) for how in _IN_TRAINING]
    uses: list[Callable[[Any], Any]] = [
        trigger.apply,
        lambda _: trigger.mask(shape),
        *(lambda x, mark=mark: mark(x, indices) for mark in marks),
    ]
    for use in uses:
        with refused("use before prepare", f"'{trigger.name}' is not prepared"):
            use(before)
    one, other = prepared(trigger, shape, seed=3), prepared(trigger, shape, seed=4)
    that((one.apply(before) != other.apply(before)).any(), "two seeds give the same trigger")
    for how in _IN_TRAINING:
        found = [getattr(ready, how)(before, indices) for ready in (one, other)]
        that((found[0] != found[1]).any(), f"two seeds give the same {how}")


def refuses_anything_but_raw_images(trigger: Trigger) -> None:
    """Anything but uint8 [B, C, H, W] is refused, as `check_images` does."""
    wrong: list[tuple[Any, str]] = [
        (np.zeros((2, 3, 32, 32), dtype=np.float32), r"float32 \[2, 3, 32, 32\]"),
        (np.zeros((2, 3, 32, 32), dtype=np.int64), "int64"),
        (np.zeros((3, 32, 32), dtype=np.uint8), r"uint8 \[3, 32, 32\]"),
        (np.zeros((4, 2, 3, 32, 32), dtype=np.uint8), r"uint8 \[4, 2, 3, 32, 32\]"),
        ([[0]], "list"),
    ]
    ready = prepared(trigger, SHAPES[-1])
    for given, found in wrong:
        message = rf"'{trigger.name}': expected images as uint8 \[B, C, H, W\], got {found}"
        with refused(f"apply({found})", message):
            ready.apply(given)
        with refused(f"apply_in_training({found})", message):
            ready.apply_in_training(given, np.arange(len(given)))


def says_what_it_marks(trigger: Trigger) -> None:
    """It says what it marks and what the attacker must control."""
    that(trigger.threat in ("data", "training"), f"threat is {trigger.threat!r}")
    that(trigger.modality in ("image", "event", "frame"), f"modality is {trigger.modality!r}")


def other_samples_are_refused_by_name(trigger: Trigger) -> None:
    """An attack with it refuses samples of another modality."""
    shape = (2, *SENSOR)
    pictures = ImageSet(noise(shape, 6), np.arange(6) % 3, ("a", "b", "c"), "pictures")
    events = recordings()
    sets: dict[str, Any] = {"image": pictures, "event": events}
    sets["frame"] = FrameSet(events, Framing(), 2)
    for modality, samples in sets.items():
        if modality != trigger.modality:
            expected = f"'{trigger.name}' marks {trigger.modality}s, but .*{modality}s"
            with refused(f"an attack on {modality}s", expected):
                Attack(trigger=trigger).challenge(samples)


ALWAYS: tuple[Check, ...] = (says_what_it_marks, other_samples_are_refused_by_name)
IMAGE: tuple[Check, ...] = (
    keeps_shape_and_type_and_leaves_its_input,
    changes_only_what_its_mask_covers,
    equal_for_equal_calls_and_for_any_batch,
    preparing_is_reproducible_and_happens_once,
    in_training_a_sample_looks_the_same_in_any_batch,
    prepared_has_the_plain_configuration_and_survives_copies,
    random_parts_are_refused_unprepared_and_differ_by_seed,
    refuses_anything_but_raw_images,
)


def check_trigger(member: Trigger | type[Trigger]) -> None:
    """Check what triggers keep, on images, recordings or frames as they are made for.

    Args:
        member: A trigger that is not prepared, or its class. It must fit into images of 8x8 px.

    Raises:
        AssertionError: Naming what it breaks.
    """
    trigger = instance(member, Trigger)
    own = {"image": IMAGE, "event": event_triggers.EVENT, "frame": event_triggers.FRAME}
    run((*components.CHECKS, *ALWAYS, *own.get(trigger.modality, ())), trigger)
