"""Triggers on events and on frames, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.attack.triggers import (
    EventDeletion,
    EventFlash,
    EventFramed,
    EventMoving,
    EventSmart,
    EventStatic,
    EventStrobing,
    FrameMoving,
    FrameSmart,
    FrameStatic,
    TimingShift,
    budget,
)
from spikedoor.data.events import Events, EventSet, FrameSet, Framing
from spikedoor.errors import ConfigError

SENSOR = 20, 30


def recording(*events: tuple[int, int, int, int]) -> Events:
    return Events.of_one(*np.array(events).reshape(-1, 4).T, SENSOR)


def one_second() -> Events:
    """Two OFF events in a corner that no trigger here touches."""
    return recording((0, 10, 0, 0), (0, 10, 999_999, 0))


def added(events: Events) -> Events:
    return events.keep((events.x != 0) | (events.y != 10))


@given(
    st.floats(1, 2000),
    st.sampled_from(["on", "off", "both"]),
    st.floats(0, 0.9),
    st.floats(0.01, 1),
    st.integers(1, 5),
)
def test_each_pixel_fires_at_its_rate_while_the_trigger_is_on(rate, polarity, start, length, size):
    end = min(start + length, 1)
    trigger = EventFramed(rate=rate, polarity=polarity, size=size, start=start, end=end)
    new = added(trigger.apply(one_second()).check("it"))
    counts = Framing().frames(new, 1)[0, 0].sum(axis=0)[-size:, -size:].astype(int)
    assert counts.sum() == len(new.x)
    assert (np.abs(counts - rate * (end - start)) < 1 + 2e-6 * rate).all()
    assert len(new.x) == 0 or (new.t.min() >= 1e6 * start and new.t.max() < 1e6 * end)
    shares = {"on": {1}, "off": {0}, "both": {0, 1}}
    assert set(new.p.tolist()) <= shares[polarity]
    if polarity == "both":
        assert abs(int(new.p.sum()) * 2 - len(new.x)) <= size**2


def test_pulses_flashes_and_moves_are_where_and_when_they_should_be():
    strobe = added(EventStrobing(rate=1000, size=2, pulses=4, duty=0.25).apply(one_second()))
    assert len(strobe.x) == 4 * 1000 // 4
    assert (strobe.t % 250_000 < 62_500).all()
    flash = EventFlash(rate=100, start=0.5, end=0.6).apply(one_second())
    assert (Framing().frames(flash, 1)[0, 0, 1] == 10).all()
    moving = EventMoving(rate=100, size=2, gap=3, moves=4, place=(0, 0)).apply(one_second())
    moving = moving.keep(moving.p == 1)
    place = moving.t // 250_000 % 3
    assert set((moving.x - place * 5).tolist()) == {0, 1}
    assert set(moving.y.tolist()) == {0, 1}


def test_own_events_go_only_where_and_when_the_trigger_is_on():
    own = recording((29, 19, 10, 0), (29, 19, 70, 1), (28, 19, 99, 1), (5, 5, 99, 0))
    framed = EventFramed(rate=1, size=1, end=0.5, replace=True).apply(own)
    assert framed.t.tolist() == [0, 70, 99, 99]
    gone = EventDeletion(size=2, place=(1, 1), polarity="on", start=0.6).apply(own)
    assert gone.t.tolist() == [10, 99]
    assert (gone.x[1], gone.p[1]) == (5, 0)


EVENT = st.tuples(*(st.integers(0, n) for n in (29, 19, 1000, 1)))


@given(st.lists(EVENT, max_size=20), st.floats(0.1, 10), st.sampled_from(["on", "off", "both"]))
def test_retiming_changes_no_count_and_keeps_the_order_of_a_polarity(events, power, polarity):
    before = recording(*sorted(events, key=lambda e: e[2]))
    after = TimingShift(power=power, polarity=polarity).apply(before).check("it")
    frames = [Framing().frames(one, 1) for one in (before, after)]
    assert (frames[0] == frames[1]).all()
    assert after.durations.tolist() == before.durations.tolist()
    for p in (0, 1):
        one, other = before.keep(before.p == p), after.keep(after.p == p)
        assert one.x.tolist() == other.x.tolist()
        if polarity == ("on" if p == 0 else "off"):
            assert one.t.tolist() == other.t.tolist()
    assert budget(before, after).added == budget(before, after).removed == 0


def test_retiming_by_hand():
    before = recording((0, 0, 0, 1), (1, 0, 50, 1), (2, 0, 60, 0), (3, 0, 100, 1))
    assert TimingShift(power=2).apply(before).t.tolist() == [0, 25, 60, 100]
    late = TimingShift(power=0.5).apply(before)
    assert list(zip(late.x.tolist(), late.t.tolist(), strict=True)) == [
        (0, 0), (2, 60), (1, 70), (3, 100),
    ]  # fmt: skip


def test_budget_by_hand():
    clean = recording((0, 0, 0, 1), (1, 1, 5, 0), (1, 1, 5, 0), (2, 2, 7, 1), (3, 3, 2_000_000, 0))
    changed = recording((0, 0, 3, 1), (1, 1, 5, 0), (3, 3, 2_000_000, 0), (4, 4, 9, 1)).in_order()
    found = budget(clean, changed)
    assert (found.added, found.removed, found.moved) == (1, 2, 1)
    assert (found.per_second, found.share) == (2.0, 4 / 5)
    twice = budget(Events.join([clean, clean]), Events.join([changed, clean]))
    assert (twice.added, twice.removed, twice.moved, twice.share) == (0.5, 1, 0.5, 0.4)
    assert budget(recording(), recording()).share == 0
    with pytest.raises(ConfigError, match="recordings"):
        budget(clean, Events.join([clean, clean]))


def busy() -> EventSet:
    """ON events in the middle region, a few OFF there; the lower right region is the emptiest."""
    where = [(x, y) for x in (5, 15, 25) for y in (3, 9, 16) if (x, y) != (25, 16)]
    events = [(x, y, i, 1) for i, (x, y) in enumerate(where)]
    events += [(15, 9, 20 + i, 1) for i in range(5)] + [(15, 10, 30, 0)]
    one = recording(*events)
    return EventSet(Events.join([one, one]), np.array([0, 1]), ("a", "b"), "busy")


def test_smart_chooses_region_and_polarity_of_the_training_set_and_keeps_them():
    train = busy()
    places = set()
    for seed in range(20):
        trigger = EventSmart(size=2).prepare(train, seed)
        mask = trigger.mask(train.shape)
        assert mask[0, 6:13, 10:20].sum() == mask.sum() == 4
        places.add(tuple(np.argwhere(mask)[0]))
    assert len(places) > 3
    common = EventSmart(size=2, polarity="commoner", region="least-active").prepare(train, 0)
    assert common.mask(train.shape)[:, 13:, 20:].sum() == 4
    with pytest.raises(ConfigError, match="'event-smart' is not prepared"):
        EventSmart().apply(train.events)
    assert trigger == EventSmart(size=2)


def test_frames_are_overwritten_by_the_codes_of_the_published_codes():
    frames = np.full((1, 4, 2, 9, 20), 7, np.uint16)
    for numbering, codes in {
        "sneaky-spikes": [(0, 0), (0, 1), (1, 0), (1, 1)],
        "poster": [(1, 0), (0, 1), (1, 1)],
    }.items():
        for polarity, code in enumerate(codes):
            trigger = FrameStatic(polarity=polarity, numbering=numbering)
            marked = trigger.apply(frames)
            assert (marked[..., :2, :2] == np.array(code)[:, None, None]).all()
            assert (marked == 7).sum() == frames.size - 4 * 2 * 4
    with pytest.raises(ConfigError, match="polarities 0 to 2, got 3"):
        FrameStatic(polarity=3, numbering="poster").apply(frames)
    moving = FrameMoving(skip_last=True).apply(frames)
    lefts = [np.argwhere(f[0] != 7)[:, 1].min(initial=99) for f in moving[0]]
    assert lefts == [0, 4, 8, 99]
    assert FrameMoving().apply(frames)[0, 3, 1, 0, 0] == 1


def test_smart_frames_wander_within_the_region_and_may_be_redrawn_for_the_test():
    train = FrameSet(busy(), Framing(), 8)
    frames, indices = train.batch(np.arange(2)), np.arange(2)
    fixed = FrameSmart(size=2).prepare(train, 1)
    in_training = fixed.apply_in_training(frames, indices)
    assert (fixed.apply(frames) == in_training).all()
    redrawn = FrameSmart(size=2, redrawn=True).prepare(train, 1)
    assert (redrawn.apply_in_training(frames, indices) == in_training).all()
    assert (redrawn.apply(frames) != in_training).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: EventFramed(start=0.5, end=0.5),
        lambda: EventFlash(start=0.5, end=0.1),
        lambda: EventStatic(size=21).apply(one_second()),
        lambda: EventMoving(size=10, gap=2).apply(one_second()),
        lambda: EventStatic().apply(np.zeros((1, 2, 3, 3), np.uint8)),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(ConfigError, match=r"'end' after|does not fit|need 34|expected Events"):
        make()
