"""Pictures of recordings: colours, the sheet, the scatter and the animation."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from spikedoor.attack.triggers.events import EventDeletion, EventStatic, TimingShift
from spikedoor.data import DigitsDvs
from spikedoor.data.events import Events
from spikedoor.data.events.counting import totals
from spikedoor.errors import ConfigError, OutputError
from spikedoor.report.animation import animation, save_animation
from spikedoor.report.figures import save
from spikedoor.report.recordings import budgets, colours, cube, recording_sheet

OFF, ON = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def digits() -> tuple[Events, np.ndarray, tuple[str, ...]]:
    test = DigitsDvs(test_limit=10, train_limit=10).load().test
    return test.batch(np.arange(3)), test.labels[:3], test.classes


def test_events_are_counted_where_they_happen():
    events = Events.of_one(
        np.array([0, 2, 2]), np.array([1, 0, 0]), np.array([0, 1, 2]), np.array([1, 0, 0]), (2, 3)
    )
    both = totals(Events.join([events, events.keep(events.p == 1)]))
    assert both[0].tolist() == [[[0, 0, 2], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]
    assert both[1].tolist() == [[[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]


def test_colours_tell_polarities_and_how_many():
    counts = np.array([[[0, 8, 0, 4, 1]], [[0, 0, 8, 4, 0]]])
    picture = colours(counts, 8)
    assert picture.shape == (1, 5, 3)
    white, off, on, both, few = map(tuple, picture[0].tolist())
    assert (white, off, on) == (WHITE, OFF, ON)
    np.testing.assert_allclose(both, (np.array(OFF) + ON) / 2, atol=1)
    assert all(deep <= pale < 255 for deep, pale in zip(off, few, strict=True) if deep < 255)
    assert tuple(colours(counts, 2)[0, 1].tolist()) == OFF


def test_the_sheet_shows_what_was_added_and_what_is_gone(digits):
    clean, labels, classes = digits
    added, gone = EventStatic(size=2).apply(clean), EventDeletion().apply(clean)
    for triggered, ink in ((added, ON), (gone, None)):
        figure = recording_sheet(clean, triggered, labels, classes, "on digits")
        pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        rows = np.array(pictures).reshape(3, 3, 16, 16, 3)
        changed = (totals(triggered) != totals(clean)).any(1)
        assert changed.any()
        np.testing.assert_array_equal((rows[2] != 255).any(-1), changed)
        if ink:
            assert {tuple(pixel) for pixel in rows[2][changed].tolist()} == {ink}
        else:
            assert (np.ptp(rows[2][changed], axis=-1) == 0).all()
        unchanged = np.broadcast_to(~changed[..., None], rows[0].shape)
        np.testing.assert_array_equal(rows[0][unchanged], rows[1][unchanged])


def test_the_numbers_are_those_of_each_recording(digits, tmp_path):
    clean, labels, classes = digits
    shifted = TimingShift().apply(clean)
    found = budgets(clean, shifted)
    assert [(cost.added, cost.removed) for cost in found] == [(0, 0)] * 3
    assert all(cost.moved > 0 for cost in found)
    figure = recording_sheet(clean, shifted, labels, classes, "shifted")
    told = [axes.get_xlabel() for axes in figure.axes if "moved" in axes.get_xlabel()]
    assert [f"moved {cost.moved:,.0f}" in label for cost, label in zip(found, told, strict=True)]
    again = recording_sheet(clean, shifted, labels, classes, "shifted")
    one, other = save(figure, tmp_path / "a.png"), save(again, tmp_path / "b.png")
    assert one.read_bytes() == other.read_bytes()


def test_the_scatter_marks_new_events(digits):
    clean, labels, classes = digits
    first = clean.take(np.array([0]))
    triggered = EventStatic(size=2).apply(first)
    figure = cube(first, triggered, classes[labels[0]], "static")
    dots = [[np.shape(c.get_offsets())[0] for c in axes.collections] for axes in figure.axes]
    extra = len(triggered.x) - len(first.x)
    assert dots == [[len(first.x), 0], [len(first.x), extra]]


def test_pictures_of_nothing_can_be_drawn(digits, tmp_path):
    clean, labels, classes = digits
    empty = clean.keep(np.zeros(len(clean.x), np.bool_))
    save(recording_sheet(empty, empty, labels, classes, "nothing"), tmp_path / "a.png")
    save(
        cube(empty.take(np.array([0])), empty.take(np.array([0])), "0", "nothing"),
        tmp_path / "b.png",
    )
    assert Image.open(io.BytesIO(animation(empty, empty, labels, classes, frames=3))).size[0] > 100


def test_the_animation_shows_the_trigger_where_and_when_it_is(digits):
    clean, labels, classes = digits
    triggered = EventStatic(size=4, rate=1000).apply(clean)
    film = Image.open(io.BytesIO(animation(clean, triggered, labels, classes, 12, slower=10)))
    assert getattr(film, "n_frames", 1) == 12
    assert film.info["loop"] == 0
    assert film.info["duration"] == pytest.approx(250, rel=0.02)
    width = film.size[0]
    for step in range(12):
        film.seek(step)
        frame = np.asarray(film.convert("RGB")).astype(int)
        # The rows have the same pictures but for the trigger, which is in the last corner.
        bottom = frame.shape[0] - 8
        upper, lower = frame[bottom - 2 * 160 - 8 : bottom - 160 - 8], frame[bottom - 160 : bottom]
        differs = (upper != lower).any(-1)[:, 70:]
        rows, columns = np.nonzero(differs)
        assert rows.min() >= 160 * 12 / 16
        assert ((columns % 168) >= 160 * 12 / 16).all()
        assert width == 70 + 3 * 168


def test_what_does_not_fit_is_refused(digits, tmp_path):
    clean, labels, classes = digits
    one = clean.take(np.array([0]))
    with pytest.raises(ConfigError, match="as many"):
        animation(clean, one, labels, classes)
    with pytest.raises(ConfigError, match="as many"):
        recording_sheet(clean, one, labels, classes, "title")
    with pytest.raises(OutputError, match="gif"):
        save_animation(b"GIF", tmp_path / "a.png")
