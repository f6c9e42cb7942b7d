"""Recordings in a flat buffer, against lists of events a recording."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.data.events import Events, EventSet
from spikedoor.data.events.recordings import COLUMNS
from spikedoor.errors import ConfigError, DataError

SENSOR = 5, 7
EVENT = st.tuples(*(st.integers(0, n) for n in (6, 4, 50, 1)))
RECORDINGS = st.lists(st.lists(EVENT, max_size=6), min_size=1, max_size=5)


def events_of(recordings: list[list[tuple[int, ...]]]) -> Events:
    parts = []
    for one in recordings:
        columns = np.array(sorted(one, key=lambda e: e[2]), int).reshape(-1, 4).T
        parts.append(Events.of_one(*columns, SENSOR))
    return Events.join(parts)


def lists_of(events: Events) -> list[list[tuple[int, ...]]]:
    rows = list(zip(*(c.tolist() for c in (events.x, events.y, events.t, events.p)), strict=True))
    ends = events.offsets.tolist()
    return [rows[a:b] for a, b in pairwise(ends)]


@given(RECORDINGS, st.data())
def test_recordings_are_taken_kept_and_replaced_as_lists_are(recordings, data):
    events = events_of(recordings)
    lists = lists_of(events)
    assert events.counts.tolist() == [len(one) for one in lists]
    assert events.durations.tolist() == [one[-1][2] if one else 0 for one in lists]
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=7))
    taken = events.take(np.array(chosen, int))
    assert lists_of(taken) == [lists[i] for i in chosen]
    on = events.keep(events.p == 1)
    assert lists_of(on) == [[e for e in one if e[3]] for one in lists]
    marked = np.array(data.draw(st.lists(st.booleans(), min_size=len(lists), max_size=len(lists))))
    mixed = events.replaced(marked, on.take(np.flatnonzero(marked)))
    pairs = zip(marked, lists_of(on), lists, strict=True)
    assert lists_of(mixed) == [new if m else old for m, new, old in pairs]


@given(RECORDINGS)
def test_merging_keeps_every_event_and_the_order_of_time(recordings):
    events = events_of(recordings)
    others = events.take(np.arange(len(events))[::-1])
    merged = events.merged(others).check("merged")
    pairs = zip(lists_of(events), lists_of(others), strict=True)
    assert lists_of(merged) == [sorted(a + b, key=lambda e: e[2]) for a, b in pairs]


def test_events_can_be_put_in_order_of_time():
    events = Events.of_one(*np.array([[3, 1, 2], [0, 0, 0], [30, 10, 20], [1, 0, 1]]), SENSOR)
    with pytest.raises(DataError, match="never fall"):
        events.check("file")
    assert events.in_order().check("file").x.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "event", [(7, 0, 0, 0), (0, 5, 0, 0), (0, 0, -1, 0), (0, 0, 0, 2)], ids=["x", "y", "t", "p"]
)
def test_an_event_that_cannot_be_is_named(event):
    events = Events.of_one(*np.array([(0, 0, 0, 0), event]).T, SENSOR)
    with pytest.raises(DataError, match=r"file: .* found event 1 "):
        events.check("file")


def test_columns_and_offsets_must_agree():
    x, t, p = np.zeros(3, np.uint16), np.zeros(3, np.int32), np.zeros(3, np.uint8)
    with pytest.raises(DataError, match="offsets"):
        Events(x, x, t, p, np.array([0, 2]), SENSOR)
    with pytest.raises(DataError, match="expected t as int32"):
        Events(x, x, t.astype(np.int64), p, np.array([0, 3]), SENSOR)
    fine = Events(x, x, t, p, np.array([0, 3]), SENSOR)
    other = Events(x, x, t, p, np.array([0, 3]), (9, 9))
    with pytest.raises(ConfigError, match="one sensor"):
        Events.join([fine, other])


def test_a_set_gives_batches_and_subsets_and_cannot_be_changed():
    events = events_of([[(1, 1, 5, 1)], [], [(2, 2, 6, 0), (3, 3, 7, 1)]])
    made = EventSet(events, np.array([0, 1, 1]), ("a", "b"), "mine")
    assert made.shape == (2, 5, 7)
    assert lists_of(made.batch(np.array([2, 0]))) == [lists_of(events)[2], lists_of(events)[0]]
    assert made.subset(np.array([1, 2])).labels.tolist() == [1, 1]
    with pytest.raises(ValueError, match="read-only"):
        made.events.x[0] = 1
    with pytest.raises(DataError, match=r"labels in 0\.\.1"):
        EventSet(events, np.array([0, 1, 2]), ("a", "b"), "mine")


@given(RECORDINGS, RECORDINGS, st.data())
def test_sets_are_pooled_and_parted_as_lists_are(ours, theirs, data):
    labels = [np.arange(len(part)) % 2 for part in (ours, theirs)]
    pair = [
        EventSet(events_of(part), of, ("a", "b"), "set")
        for part, of in zip((ours, theirs), labels, strict=True)
    ]
    pooled = pair[0].pooled(pair[1], "pool")
    everything = lists_of(pair[0].events) + lists_of(pair[1].events)
    assert lists_of(pooled.batch(np.arange(len(pooled)))) == everything
    chosen = data.draw(st.lists(st.integers(0, len(everything) - 1), max_size=7))
    part = pooled.subset(np.array(chosen, int))
    assert part.events is pooled.events
    assert part.labels.tolist() == [pooled.labels[i] for i in chosen]
    twice = part.subset(np.arange(len(part))[::-1])
    assert lists_of(twice.batch(np.arange(len(twice)))) == [everything[i] for i in chosen[::-1]]
    again = part.pooled(twice, "both")
    assert again.events is pooled.events
    expected = [everything[i] for i in chosen + chosen[::-1]]
    assert lists_of(again.batch(np.arange(len(again)))) == expected


def test_rows_name_recordings_that_are_there():
    events = events_of([[(1, 1, 5, 1)], []])
    with pytest.raises(DataError, match=r"indices in 0\.\.1, found 2"):
        EventSet(events, np.array([0]), ("a",), "set", rows=np.array([2]))
    with pytest.raises(DataError, match=r"labels as int64 \[1\]"):
        EventSet(events, np.array([0, 0]), ("a",), "set", rows=np.array([1]))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs the maps of a process")
def test_what_was_read_of_a_mapped_file_does_not_stay_in_memory(tmp_path):
    count = 1 << 18

    def resident() -> int:
        """Return how much of the files is in this process's memory, in kB."""
        lines, total = Path("/proc/self/smaps").read_text().splitlines(), 0
        for i, line in enumerate(lines):
            if str(tmp_path) in line:
                total += next(int(s.split()[1]) for s in lines[i:] if s.startswith("Rss:"))
        return total

    columns = {}
    for name, dtype in COLUMNS.items():
        np.save(tmp_path / f"{name}.npy", np.ones(count, dtype))
        columns[name] = np.asarray(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    offsets = np.linspace(0, count, 9).astype(np.int64)
    data = EventSet(Events(**columns, offsets=offsets, sensor=SENSOR), offsets[1:] * 0, ("a",), "m")
    assert int(data.events.t.sum()) == count
    assert resident() >= 4 * count >> 10
    first, again = (data.batch(np.arange(8)) for _ in range(2))
    assert resident() == 0
    assert (first.t == 1).all()
    assert (again.t == 1).all()
