"""What every registered trigger keeps."""

import pickle

import numpy as np
import pytest

from spikedoor.attack import Attack
from spikedoor.attack.triggers import TRIGGERS, LearnedTrigger, RandomTrigger, Trigger
from spikedoor.data.base import ImageSet
from spikedoor.data.events import Events, EventSet, FrameSet, Framing
from spikedoor.errors import ConfigError

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]

image_triggers = pytest.mark.parametrize(
    "name", [name for name in TRIGGERS.names() if TRIGGERS[name].modality == "image"]
)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def images(shape: tuple[int, int, int], count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def prepared(name: str, shape: tuple[int, int, int], seed: int = 3) -> Trigger:
    pictures = images(shape, count=6)
    train = ImageSet(pictures, np.arange(6, dtype=np.int64) % 3, ("a", "b", "c"), "random")
    return TRIGGERS[name]().prepare(train, seed)


@image_triggers
@shapes
def test_keeps_shape_and_type_and_leaves_its_input(name, shape):
    trigger, before = prepared(name, shape), images(shape)
    given = before.copy()
    given.setflags(write=False)
    after = trigger.apply(given)
    assert after.dtype == np.uint8
    assert after.shape == before.shape
    assert not np.shares_memory(after, given)
    assert after.flags.writeable
    assert (given == before).all()
    assert (after != before).any()


@image_triggers
@shapes
def test_changes_only_what_its_mask_covers(name, shape):
    trigger, before = prepared(name, shape), images(shape)
    mask = trigger.mask(shape)
    assert mask.dtype == np.bool_
    assert mask.shape == shape
    changed = (trigger.apply(before) != before).any(axis=0)
    assert not (changed & ~mask).any()


@image_triggers
@shapes
def test_equal_for_equal_calls_and_for_any_batch(name, shape):
    trigger, before = prepared(name, shape), images(shape)
    whole = trigger.apply(before)
    assert (trigger.apply(before) == whole).all()
    assert (trigger.apply(before[1:3]) == whole[1:3]).all()
    assert trigger.apply(before[:0]).shape == (0, *shape)


@image_triggers
def test_preparing_is_reproducible_and_happens_once(name):
    shape = SHAPES[-1]
    before = images(shape)
    first, again = prepared(name, shape), prepared(name, shape)
    assert (first.apply(before) == again.apply(before)).all()
    other = ImageSet(images(shape, 2), np.zeros(2, dtype=np.int64), ("a",), "other")
    assert (first.prepare(other, 9).apply(before) == first.apply(before)).all()


training_forms = pytest.mark.parametrize("how", ["apply_in_training", "apply_to_cover"])


@image_triggers
@shapes
@training_forms
def test_in_training_a_sample_looks_the_same_in_any_batch(name, shape, how):
    trigger, before = prepared(name, shape), images(shape, 8)
    mark = getattr(trigger, how)
    indices = np.array([3, 40_000, 0, 17, 5, 4, 9, 11])
    given = before.copy()
    given.setflags(write=False)
    whole = mark(given, indices)
    assert whole.dtype == np.uint8
    assert whole.shape == before.shape
    assert not np.shares_memory(whole, given)
    assert (given == before).all()
    order = np.array([6, 1, 1, 4])
    assert (mark(before[order], indices[order]) == whole[order]).all()
    assert mark(before[:0], indices[:0]).shape == (0, *shape)
    changed = (whole != before).any(axis=0)
    assert changed.any()
    if how == "apply_in_training":
        assert not (changed & ~trigger.mask(shape)).any()


@image_triggers
def test_prepared_has_the_plain_configuration_and_survives_copies(name):
    plain, trigger = TRIGGERS[name](), prepared(name, SHAPES[-1])
    assert trigger.to_dict() == plain.to_dict()
    assert trigger == plain
    assert hash(trigger) == hash(plain)
    before = images(SHAPES[-1])
    expected = trigger.apply(before)
    for copied in (trigger.model_copy(), pickle.loads(pickle.dumps(trigger))):
        assert (copied.apply(before) == expected).all()


@image_triggers
@training_forms
def test_random_parts_are_refused_unprepared_and_differ_by_seed(name, how):
    shape = SHAPES[-1]
    plain, before, indices = TRIGGERS[name](), images(shape), np.arange(4)
    if not isinstance(plain, RandomTrigger):
        assert plain.prepare(None, 3) is plain
        return
    for use in (
        plain.apply,
        lambda x: getattr(plain, how)(x, indices),
        lambda _: plain.mask(shape),
    ):
        with pytest.raises(ConfigError, match=f"'{name}' is not prepared"):
            use(before)
    one, other = prepared(name, shape, seed=3), prepared(name, shape, seed=4)
    assert (one.apply(before) != other.apply(before)).any()
    assert (getattr(one, how)(before, indices) != getattr(other, how)(before, indices)).any()


@pytest.mark.parametrize("name", TRIGGERS.names())
def test_configuration_round_trip(name):
    trigger = TRIGGERS[name]()
    plain = trigger.to_dict()
    assert plain["name"] == name
    assert Trigger.from_dict(plain) == trigger
    assert Trigger.from_dict(name) == trigger


@image_triggers
@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.zeros((2, 3, 32, 32), dtype=np.float32), r"float32 \[2, 3, 32, 32\]"),
        (np.zeros((2, 3, 32, 32), dtype=np.int64), "int64"),
        (np.zeros((3, 32, 32), dtype=np.uint8), r"uint8 \[3, 32, 32\]"),
        (np.zeros((4, 2, 3, 32, 32), dtype=np.uint8), r"uint8 \[4, 2, 3, 32, 32\]"),
        ([[0]], "list"),
    ],
)
def test_refuses_anything_but_raw_images(name, wrong, found):
    message = rf"trigger '{name}': expected images as uint8 \[B, C, H, W\], got {found}"
    trigger = prepared(name, SHAPES[-1])
    for use in (trigger.apply, lambda x: trigger.apply_in_training(x, np.arange(len(x)))):
        with pytest.raises(ConfigError, match=message):
            use(wrong)


@pytest.mark.parametrize("name", TRIGGERS.names())
def test_says_what_it_is(name):
    trigger = TRIGGERS[name]
    assert issubclass(trigger, Trigger)
    assert trigger.summary().endswith(".")
    assert trigger.threat in ("data", "training")
    assert trigger.modality in ("image", "event", "frame")


event_triggers = pytest.mark.parametrize(
    "name", [name for name in TRIGGERS.names() if TRIGGERS[name].modality == "event"]
)
frame_triggers = pytest.mark.parametrize(
    "name", [name for name in TRIGGERS.names() if TRIGGERS[name].modality == "frame"]
)
SENSOR = 24, 34


class Model:
    """A model whose loss moves by the same with an event in a cell, whatever the recording."""

    def event_gradients(self, events, labels, bins):
        draw = np.random.default_rng(0)
        return np.stack([draw.standard_normal((bins, 2, *events.sensor), np.float32)] * len(events))


def ready(name: str, train: EventSet) -> Attack:
    quick = {"updates": 5} if issubclass(TRIGGERS[name], LearnedTrigger) else {}
    attack = Attack(trigger={"name": name, **quick}, target=0, rate=0.5)
    return attack.prepare(train, 3, Model())


def recordings() -> EventSet:
    """Recordings of unequal length; one is empty, and one has a single event at its start."""
    draw = np.random.default_rng(1)
    parts = []
    for n in (400, 0, 900, 1, 300, 200):
        t = np.sort(draw.integers(0, 100 * n, n)) if n > 1 else np.zeros(n, int)
        x, y, p = (draw.integers(0, high, n) for high in (34, 24, 2))
        parts.append(Events.of_one(x, y, t, p, SENSOR))
    labels = np.array([0, 1, 2, 0, 1, 2])
    return EventSet(Events.join(parts), labels, ("a", "b", "c"), "random")


def same(one: Events, other: Events) -> bool:
    columns = ("x", "y", "t", "p", "offsets")
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in columns)


def counts(events: Events) -> np.ndarray:
    return Framing().frames(events, 1)[:, 0].astype(int)


@event_triggers
def test_events_stay_on_the_sensor_in_time_and_in_order(name):
    train = recordings()
    trigger, events = ready(name, train).trigger, train.events
    after = trigger.apply(events)
    assert same(events, recordings().events)
    assert not same(after, events)
    after.check(name)
    assert after.sensor == events.sensor
    assert (after.durations <= events.durations).all()
    assert after.counts[1] == 0
    changed = (counts(after) != counts(events)).any(axis=0)
    assert not (changed & ~trigger.mask(train.shape)).any()
    for shape in ((1, *SENSOR), (3, *SENSOR)):
        with pytest.raises(ConfigError, match=r"expected the shape \[2, H, W\]"):
            trigger.mask(shape)


@event_triggers
def test_a_recording_gets_the_same_events_in_any_batch(name):
    train = recordings()
    trigger, again = (ready(name, train).trigger for _ in range(2))
    whole = trigger.apply(train.events)
    assert same(again.apply(train.events), whole)
    order = np.array([4, 2, 2, 0, 1])
    assert same(trigger.apply(train.batch(order)), whole.take(order))
    assert same(trigger.apply_in_training(train.batch(order), order), whole.take(order))
    assert len(trigger.apply(train.batch(order[:0]))) == 0
    assert trigger.prepare(train.subset(order), 9) is trigger


@event_triggers
def test_recordings_are_poisoned_as_a_batch_is_drawn(name):
    train = recordings()
    attack = ready(name, train)
    poisoned, challenge = attack.poison(train, 3), attack.challenge(train)
    every = np.arange(6)
    marked = attack.trigger.apply(train.events)
    expected = train.events.replaced(
        poisoned.poisoned, marked.take(np.flatnonzero(poisoned.poisoned))
    )
    assert same(poisoned.batch(every), expected)
    assert same(challenge.batch(np.arange(4)), marked.take(np.array([1, 2, 4, 5])))
    frames = FrameSet(poisoned, Framing(), 2)
    assert (frames.batch(every).sum(axis=(1, 2, 3, 4)) == expected.counts).all()


@frame_triggers
def test_frames_are_marked_where_the_mask_says_and_in_any_batch(name):
    train = FrameSet(recordings(), Framing(), 5)
    attack = Attack(trigger={"name": name}, target=0, rate=0.5).prepare(train, 3)
    trigger, frames = attack.trigger, train.batch(np.arange(6))
    frames.setflags(write=False)
    after = trigger.apply(frames)
    assert after.dtype == np.uint16
    assert not np.shares_memory(after, frames)
    changed = (after != frames).any(axis=(0, 1))
    assert changed.any()
    assert not (changed & ~trigger.mask(train.shape)).any()
    assert (trigger.apply(frames[2:4]) == after[2:4]).all()
    poisoned = attack.poison(train, 3)
    expected = np.where(poisoned.poisoned[:, None, None, None, None], after, frames)
    assert (poisoned.batch(np.arange(6)) == expected).all()
    with pytest.raises(ConfigError, match="expected frames as uint16"):
        trigger.apply(frames.astype(np.float32))


@pytest.mark.parametrize("name", TRIGGERS.names())
def test_a_trigger_for_other_samples_is_refused_by_name(name):
    shape = (2, *SENSOR)
    pictures = ImageSet(images(shape, 6), np.arange(6) % 3, ("a", "b", "c"), "pictures")
    sets = {"image": pictures, "event": recordings()}
    sets["frame"] = FrameSet(sets["event"], Framing(), 2)
    own = TRIGGERS[name].modality
    for modality, samples in sets.items():
        if modality != own:
            with pytest.raises(ConfigError, match=f"'{name}' marks {own}s, but .*{modality}s"):
                Attack(trigger={"name": name}).challenge(samples)
