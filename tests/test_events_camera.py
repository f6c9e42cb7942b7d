"""The simulated camera: closed forms, a camera written out in Python, and N-MNIST."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data import Mnist, MnistDvs, NMnist
from spikedoor.data.events import Events
from spikedoor.data.events.camera import Camera, grey
from spikedoor.data.events.motion import footprint, saccades
from spikedoor.errors import ConfigError, DataError

QUIET = {"noise": 0.0, "refractory": 0}
PICTURES = np.random.default_rng(5).integers(0, 256, (40, 1, 9, 9), dtype=np.uint8)
REAL = os.environ.get("SPIKEDOOR_DATA", "")


def record(camera: Camera, images: np.ndarray) -> Events:
    return camera.record(images, np.arange(len(images))).check("simulated")


def columns(events: Events) -> list[list[int]]:
    return [getattr(events, name).tolist() for name in ("x", "y", "t", "p", "offsets")]


def by_pixel(events: Events) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """Return time and polarity of the events of each recording's pixels."""
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    each = (events.recording, events.x, events.y, events.t, events.p)
    for recording, x, y, t, p in zip(*(column.tolist() for column in each), strict=True):
        found.setdefault((recording, x, y), []).append((t, p))
    return found


def edge() -> np.ndarray:
    """Return an image that is white on its right half."""
    image = np.zeros((1, 1, 16, 16), np.uint8)
    image[..., 8:] = 255
    return image


SWEPT = [(0, x, y) for x in (3, 4) for y in range(8)]
"""Pixels of a sensor of 8 x 8 that an edge in the middle passes when it moves by 2 either way."""


@pytest.mark.parametrize(("on", "off"), [(0.31, 0.29), (0.2, 0.47), (0.9, 0.13), (2.5, 2.5)])
@pytest.mark.parametrize("dark", [0.1, 0.5])
def test_an_edge_makes_as_many_events_as_thresholds_fit_into_its_contrast(on, off, dark):
    camera = Camera(sensor=(8, 8), image_size=32, amplitude=4, on=on, off=off, dark=dark, blur=0,
                    **QUIET)  # fmt: skip
    found = by_pixel(record(camera, edge()))
    contrast = -math.log(dark)
    # Before the recording the edge moves left: pixels at x = 3 turn white, those at 4 are so. In
    # two saccades they turn black, and in the third white again.
    for pixel in SWEPT:
        held = contrast if pixel[1] == 4 else math.floor(contrast / on) * on
        fallen = math.floor(held / off)
        risen = math.floor((contrast - held + fallen * off) / on)
        sent = found.get(pixel, [])
        assert [p for t, p in sent if t < 200_000] == [0] * fallen
        assert [p for t, p in sent if t >= 200_000] == [1] * risen


def test_reversed_contrast_reverses_the_polarity_of_every_event():
    camera = Camera(sensor=(8, 8), image_size=32, amplitude=4, dark=0.2, blur=0, **QUIET)
    one, other = (by_pixel(record(camera, image)) for image in (edge(), 255 - edge()))
    for pixel in SWEPT:
        assert [p for _, p in one[pixel]] == [1 - p for _, p in other[pixel]]
        assert len(one[pixel]) > 10
    # What is shown inverted is the negative, where the image fills the sensor.
    shown = record(camera, 255 - edge())
    inverted = record(camera.model_copy(update={"inverted": True}), edge())
    assert abs(len(shown.t) - len(inverted.t)) <= 0.01 * len(shown.t)
    assert {k: len(v) for k, v in by_pixel(inverted).items() if k in SWEPT} == {
        pixel: len(other[pixel]) for pixel in SWEPT
    }


@pytest.mark.parametrize(
    "still",
    [{"amplitude": 0}, {"dark": 1}, {"on": 10, "off": 10}],
    ids=["no motion", "no contrast", "thresholds above the contrast"],
)
def test_nothing_happens_without_motion_or_contrast(still):
    assert len(record(Camera(**{**QUIET, **still}), PICTURES[:3]).t) == 0


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_plain_image_larger_than_the_sensor_makes_no_events(level):
    image = np.full((1, 3, 20, 20), level, np.uint8)
    camera = Camera(image_size=60, on=0.02, off=0.02, dark=0.01, **QUIET)
    assert len(record(camera, image).t) == 0


def test_levels_are_crossed_as_a_camera_of_one_pixel_would():
    camera = Camera(sensor=(12, 10), image_size=9, amplitude=3, on=0.17, off=0.23, **QUIET)
    events = record(camera, PICTURES[:2])
    path = saccades(camera.amplitude, camera.duration, camera.step)
    views = camera._views(9, 9, path)
    levels = np.array(
        [level.reshape(10, 2, 12) for level in camera._levels(PICTURES[:2, 0], views)]
    )
    levels = levels / 2**20
    expected: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for x, n, y in np.ndindex(10, 2, 12):
        course, sent = levels[:, x, n, y].tolist(), []
        held = course[0]
        for k in range(1, len(course)):
            while course[k] - held > camera.on or held - course[k] > camera.off:
                up = course[k] > held
                held += camera.on if up else -camera.off
                share = (held - course[k - 1]) / (course[k] - course[k - 1])
                if k > path.steps:
                    sent.append((path.times(np.array(k - 1 + share)).item(), int(up)))
        if sent:
            expected[n, x, y] = sent
    found = by_pixel(events)
    assert found.keys() == expected.keys()
    for pixel, sent in expected.items():
        assert [p for _, p in found[pixel]] == [p for _, p in sent]
        np.testing.assert_allclose([t for t, _ in found[pixel]], [t for t, _ in sent], atol=60)


def test_time_follows_the_minimum_jerk_course():
    path = saccades(4.0, 1000, 0.1)
    u = np.linspace(0.05, 1, 39)
    way = 10 * u**3 - 15 * u**4 + 6 * u**5
    for saccade in (1, 2, 3):
        times = path.times((saccade + way) * path.steps)
        np.testing.assert_allclose(times, 1000 * (saccade - 1 + u), atol=0.1)
    assert path.times(np.array([1, 2, 4]) * path.steps).tolist() == [0, 1000, 3000]
    moved = np.hypot(np.diff(path.x), np.diff(path.y))
    assert moved.max() <= 0.1 + 1e-12
    corners = list(zip(path.x[:: path.steps], path.y[:: path.steps], strict=True))
    np.testing.assert_allclose(corners, [(0, 0), (-2, -2), (0, 2), (2, -2), (-2, -2)], atol=1e-12)


@pytest.mark.parametrize("blur", [0, 0.5, 1.5])
def test_a_pixel_sees_the_mean_of_the_blurred_image_over_its_area(blur):
    scale, shift = 1.7, 0.6
    seen = footprint(5, scale, 14, shift, blur) / 256
    fine = 200
    grid = (np.arange(-20 * fine, 34 * fine) + 0.5) / fine
    start = (14 - 5 * scale) / 2 + shift
    for j in range(5):
        bar = (grid >= start + j * scale) & (grid < start + (j + 1) * scale)
        if blur:
            kernel = np.exp(
                -((np.arange(-6 * fine * blur, 6 * fine * blur + 1) / fine / blur) ** 2) / 2
            )
            bar = np.convolve(bar, kernel / kernel.sum(), mode="same")
        mean = bar[20 * fine :][: 14 * fine].reshape(14, fine).mean(1)
        np.testing.assert_allclose(seen[:, j], mean, atol=1.01 / 256)


def test_a_pixel_rests_after_each_event():
    camera = Camera(sensor=(8, 8), image_size=9, amplitude=3, on=0.05, off=0.05, noise=200)
    free, tired = (
        record(camera.model_copy(update={"refractory": rest}), PICTURES[:4]) for rest in (0, 4000)
    )
    assert len(tired.t) < 0.8 * len(free.t)
    before, after = by_pixel(free), by_pixel(tired)
    assert before.keys() == after.keys()
    for pixel, events in before.items():
        kept: list[tuple[int, int]] = []
        for event in sorted(events):
            if not kept or event[0] - kept[-1][0] >= 4000:
                kept.append(event)
        assert after[pixel] == kept


def test_noise_has_its_rate_and_no_place_or_time():
    camera = Camera(sensor=(10, 20), noise=50, noise_on=0.8, amplitude=0, refractory=0)
    events = record(camera, PICTURES)
    expected = 50 * 200 * 0.3
    assert abs(events.counts.mean() - expected) < 5 * math.sqrt(expected / 40)
    assert 0.5 < events.counts.var() / expected < 1.8
    total = len(events.t)
    for share, part in (
        (0.8, events.p == 1),
        (0.25, events.x < 5),
        (0.3, events.y >= 7),
        (0.1, events.t < 30_000),
    ):
        assert abs(part.mean() - share) < 5 * math.sqrt(share * (1 - share) / total)


def test_a_recording_is_the_same_in_any_batch_and_another_by_seed_and_number():
    camera = Camera(sensor=(64, 64), image_size=50, noise=1)
    events = record(camera, PICTURES)
    assert columns(record(camera, PICTURES)) == columns(events)
    # Blocks hold 16 images here.
    order = np.array([39, 0, 17, 16, 3])
    assert columns(camera.record(PICTURES[order], order)) == columns(events.take(order))
    one = columns(events.take(np.array([3])))
    assert columns(camera.record(PICTURES[3:4], np.array([4]))) != one
    other = camera.model_copy(update={"seed": 1})
    assert columns(other.record(PICTURES[3:4], np.array([3]))) != one
    assert len(camera.record(PICTURES[:0], np.arange(0))) == 0


def test_the_clock_ticks():
    events = record(Camera(resolution=1000, noise=5), PICTURES[:2])
    assert len(events.t)
    assert not (events.t % 1000).any()


def test_colour_is_seen_by_its_luminance():
    pure = 255 * np.eye(3, dtype=np.uint8)[:, :, None, None]
    np.testing.assert_allclose(grey(pure).ravel(), [0.299 * 255, 0.587 * 255, 0.114 * 255], atol=1)
    same = np.repeat(PICTURES[:2], 3, axis=1)
    np.testing.assert_array_equal(grey(same), PICTURES[:2, 0])
    np.testing.assert_array_equal(grey(same[:, :2]), PICTURES[:2, 0])


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(DataError, match="uint8"):
        Camera().record(PICTURES / 255, np.arange(40))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="40 numbers"):
        Camera().record(PICTURES, np.arange(3))
    with pytest.raises(ConfigError, match=r"camera|on"):
        Camera(on=0)


def test_the_defaults_resemble_the_real_recordings_of_the_same_digits():
    if not Path(REAL, "NMNIST").is_dir() or not Path(REAL, "MNIST").is_dir() or not REAL:
        pytest.skip("needs NMNIST and MNIST below SPIKEDOOR_DATA")
    rows = np.arange(60, 160)  # Not those that the defaults were chosen by.
    real = NMnist().load().train
    mnist = Mnist(train_limit=None).load().train
    if not np.array_equal(real.labels[:160], mnist.labels[:160]):
        pytest.skip("needs the first recordings of N-MNIST")
    seen = real.batch(rows)
    made = MnistDvs().camera.record(mnist.images[rows], rows)
    assert made.counts.mean() == pytest.approx(seen.counts.mean(), rel=0.1)
    assert made.counts.std() == pytest.approx(seen.counts.std(), rel=0.15)
    assert np.corrcoef(made.counts, seen.counts)[0, 1] > 0.97
    assert abs(made.p.mean() - seen.p.mean()) < 0.02

    def pictures(events: Events) -> np.ndarray:
        third = np.minimum(events.t // 100_000, 2)
        cell = ((events.recording * 3 + third) * 2 + events.p) * 34 * 34 + events.y * 34 + events.x
        return np.bincount(cell, minlength=len(events) * 6 * 34 * 34).reshape(len(events), -1)

    alike = [np.corrcoef(*pair)[0, 1] for pair in zip(pictures(seen), pictures(made), strict=True)]
    assert np.mean(alike) > 0.88
    course = [np.bincount(events.t // 10_000, minlength=32)[:32] for events in (seen, made)]
    assert np.corrcoef(course[0], course[1])[0, 1] > 0.9
