"""Frames of events, against lists of events, hand counts and SpikingJelly's definition."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.data.events import Events, EventSet, FrameSet, Framing, counting
from spikedoor.errors import ConfigError, DataError

SENSOR = 5, 7


def recordings(counts: list[int], seed: int = 0, sensor: tuple[int, int] = SENSOR) -> Events:
    draw = np.random.default_rng(seed)
    parts = [
        Events.of_one(
            draw.integers(0, sensor[1], n),
            draw.integers(0, sensor[0], n),
            np.sort(draw.integers(3, 900, n)),
            draw.integers(0, 2, n),
            sensor,
        )
        for n in counts
    ]
    return Events.join(parts)


COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=4)
STEPS = st.integers(1, 9)


@given(COUNTS, STEPS, st.sampled_from(["number", "time"]), st.integers(1, 4), st.integers(0, 9))
def test_every_event_is_in_the_frame_that_the_definition_says(counts, steps, by, factor, seed):
    events = recordings(counts, seed)
    expected = np.zeros((len(counts), steps, 2, -(-5 // factor), -(-7 // factor)), int)
    for n, (a, b) in enumerate(zip(events.offsets[:-1], events.offsets[1:], strict=True)):
        for i, e in enumerate(range(a, b)):
            share = i * steps // (b - a) if by == "number" else None
            if share is None:
                share = int(events.t[e]) * steps // (int(events.t[b - 1]) + 1)
            expected[n, share, events.p[e], events.y[e] // factor, events.x[e] // factor] += 1
    frames = Framing(by=by, downsample=factor).frames(events, steps)
    assert frames.dtype == np.uint16
    assert frames.shape[2:] == Framing(downsample=factor).shape(SENSOR)
    assert (frames == expected).all()
    assert frames.sum(axis=(1, 2, 3, 4)).tolist() == counts


@given(COUNTS, STEPS, st.sampled_from(["number", "time"]), st.integers(1, 4))
def test_numpy_and_c_count_alike(counts, steps, by, factor):
    if not counting.available():
        pytest.skip("the compiled loop is not built")
    events = recordings(counts)
    for remainder in ("even", "last"):
        bounds = Framing(by=by, remainder=remainder).bounds(events, steps)
        compiled = counting.count_compiled(events, bounds, factor)
        assert (compiled == counting.count_numpy(events, bounds, factor)).all()


def test_windows_show_what_lies_in_them():
    t = np.array([0, 9, 10, 19, 20, 35])
    events = Events.of_one(t * 0, t * 0, t, t * 0 + 1, SENSOR)
    events = Events.join([events, events])
    for way in (counting.count_numpy, counting.count):
        framing = Framing(by="window", window=10)
        frames = way(events, framing.bounds(events, 3), 1)
        assert frames[:, :, 1, 0, 0].tolist() == [[2, 2, 1]] * 2
        assert frames.sum() == 10


def test_a_pixel_says_counts_or_presence_or_the_sign():
    events = Events.of_one(*np.array([(1, 2, 0, 1), (1, 2, 1, 1), (3, 0, 1, 0)]).T, SENSOR)
    counts, binary, signed = (
        Framing(value=value).frames(events, 1)[0, 0] for value in ("count", "binary", "signed")
    )
    assert (counts[1, 2, 1], counts[0, 0, 3], counts.sum()) == (2, 1, 3)
    assert (binary == (counts > 0)).all()
    assert binary.dtype == np.uint8
    assert (signed[0] == counts[1].astype(int) - counts[0]).all()
    assert signed.dtype == np.int16
    assert signed.shape == Framing(value="signed").shape(SENSOR)


@pytest.mark.parametrize("way", ["count_numpy", "count"])
def test_what_cannot_be_counted_is_refused(way):
    many = np.zeros(65_536, int)
    events = Events.of_one(many, many, many, many, SENSOR)
    with pytest.raises(DataError, match="more than 65535"):
        getattr(counting, way)(events, np.array([[0, 65_536]]), 1)
    assert getattr(counting, way)(events, np.array([[0, 65_535]]), 1).max() == 65_535
    for event in ((7, 0, 0, 0), (0, 5, 0, 0), (0, 0, 0, 2)):
        events = Events.of_one(*np.array([event]).T, SENSOR)
        with pytest.raises(DataError, match="off the sensor"):
            getattr(counting, way)(events, np.array([[0, 1]]), 1)
    events = Events.of_one(many[:40_000], many[:40_000], many[:40_000], many[:40_000], SENSOR)
    with pytest.raises(DataError, match="signed"):
        Framing(value="signed").frames(events, 1)


@pytest.mark.parametrize(
    "fields", [{"by": "window"}, {"window": 3}, {"by": "window", "window": 3, "remainder": "last"}]
)
def test_settings_without_effect_are_refused(fields):
    with pytest.raises(ConfigError, match="window"):
        Framing(**fields)
    with pytest.raises(ConfigError, match="one frame or more"):
        Framing().frames(recordings([3]), 0)


@pytest.fixture
def spikingjelly(monkeypatch) -> Any:
    """Its integration alone: the package around it imports readers that need other libraries."""
    package = ModuleType("spikingjelly.datasets")
    package.__path__ = [str(Path(pytest.importorskip("spikingjelly").__path__[0]) / "datasets")]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    for name in ("torchvision", "h5py"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    yield pytest.importorskip("spikingjelly.datasets.utils")
    sys.modules.pop("spikingjelly.datasets.utils", None)


@pytest.mark.parametrize("by", ["number", "time"])
def test_equal_to_spikingjelly_with_the_remainder_last(spikingjelly, by):
    events = recordings([48, 50, 37], 2)
    framing = Framing(by=by, remainder="last").frames(events, 8)
    even = Framing(by=by).frames(events, 8)
    for n in range(3):
        one = events.take(np.array([n]))
        columns = {name: getattr(one, name).astype(np.int64) for name in "txyp"}
        theirs = spikingjelly.integrate_events_by_fixed_frames_number(columns, by, 8, *SENSOR)
        assert (theirs == framing[n]).all()
        if by == "number" and n == 0:
            assert (theirs == even[n]).all()


def test_a_set_of_frames_is_made_as_it_is_drawn():
    events = recordings([20, 30, 5, 9])
    base = EventSet(events, np.array([0, 1, 1, 0]), ("a", "b"), "random")
    shown = FrameSet(base, Framing(downsample=2), 4)
    frames = shown.batch(np.array([2, 0]))
    assert frames.sum(axis=(1, 2, 3, 4)).tolist() == [5, 20]
    assert frames.shape == (2, 4, *shown.shape)
    assert shown.subset(np.array([3])).batch(np.array([0])).sum() == 9
    assert shown.labels.tolist() == [0, 1, 1, 0]
    assert shown.clean.base is base
