"""Sources of simulated recordings: limits and folds, names, checksums, and the cache."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spikedoor.data import DATASETS, Digits, DigitsDvs, MnistDvs, Simulated
from spikedoor.data.events import EventSet
from spikedoor.data.events import simulated as module
from spikedoor.data.events.camera import Camera
from spikedoor.errors import ConfigError

SMALL = {"train_limit": 30, "test_limit": 10}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(tmp_path))
    return tmp_path


def all_of(part: EventSet) -> list[list[int]]:
    events = part.batch(np.arange(len(part))).check(part.name)
    return [getattr(events, name).tolist() for name in ("x", "y", "t", "p", "offsets")]


def test_digits_are_recorded_one_by_one_and_say_that_they_are_simulated():
    found, images = DigitsDvs(**SMALL).load(), Digits(**SMALL).load()
    assert found.name == "digits-dvs (simulated)"
    for part, shown in ((found.train, images.train), (found.test, images.test)):
        assert isinstance(part, EventSet)
        assert part.simulated
        assert "simulated" in part.name
        assert part.labels.tolist() == shown.labels.tolist()
        assert part.shape == (2, 16, 16)
    camera = DigitsDvs().camera.model_copy(update={"noise": 0})
    quiet = DigitsDvs(**SMALL, camera=camera).load().test
    expected = camera.record(images.test.images, np.arange(10))
    assert quiet.events.take(quiet.rows).counts.tolist() == expected.counts.tolist()


def test_a_recording_is_the_same_under_any_limit_and_in_any_fold():
    small, large = DigitsDvs(**SMALL).load(), DigitsDvs(train_limit=60, test_limit=10).load()
    assert all_of(small.test) == all_of(large.test)
    # The first of each class come first under either limit.
    first = [np.flatnonzero(large.train.labels == k)[:2] for k in range(10)]
    again = [np.flatnonzero(small.train.labels == k)[:2] for k in range(10)]
    for one, other in zip(first, again, strict=True):
        assert all_of(large.train.subset(one)) == all_of(small.train.subset(other))
    folded = DigitsDvs(fold=1, folds=3, **SMALL).load()
    images = Digits(fold=1, folds=3, **SMALL).load()
    assert folded.test.labels.tolist() == images.test.labels.tolist()
    assert len(folded.train) == 30


def test_only_what_is_kept_is_simulated(monkeypatch):
    shown = []
    true = Camera.record

    def count(self, images, numbers):
        shown.append(len(images))
        return true(self, images, numbers)

    monkeypatch.setattr(Camera, "record", count)
    DigitsDvs(**SMALL).load()
    assert sum(shown) == 40


def test_large_sets_are_recorded_once_and_mapped(monkeypatch, cache):
    expected = DigitsDvs(**SMALL).load()
    assert not list(cache.iterdir())
    monkeypatch.setattr(module, "_LARGE", 39)
    first = DigitsDvs(**SMALL).load()
    other = DigitsDvs(**SMALL, camera={"seed": 1}).load()
    assert all_of(first.train) == all_of(expected.train)
    assert all_of(other.train) != all_of(expected.train)

    def fail(*_):
        raise AssertionError("recorded again")

    monkeypatch.setattr(Camera, "record", fail)
    for part in ("train", "test"):
        again = getattr(DigitsDvs(**SMALL).load(), part)
        assert all_of(again) == all_of(getattr(expected, part))
        assert again.labels.tolist() == getattr(expected, part).labels.tolist()
        assert again.name == getattr(expected, part).name


def test_any_images_can_be_recorded():
    source = Simulated.from_dict({"images": "digits", "camera": {"sensor": [20, 24]}, **SMALL})
    assert DATASETS.parse({"name": "simulated", "images": {"name": "digits"}}).images == Digits()  # type: ignore[attr-defined]
    found = source.load()
    assert found.name == "digits (simulated)"
    assert found.train.shape == (2, 20, 24)
    assert found.train.labels.tolist() == Digits(**SMALL).load().train.labels.tolist()
    assert Simulated.from_dict(json.loads(json.dumps(source.to_dict()))) == source


def test_checksums_tell_images_camera_and_version_apart(monkeypatch):
    plain = DigitsDvs(**SMALL).load().checksums
    assert plain == DigitsDvs(**SMALL).load().checksums
    assert Digits().load().checksums.items() <= plain.items()
    assert DigitsDvs(**SMALL, camera={"on": 0.2}).load().checksums != plain
    monkeypatch.setattr(module, "_VERSION", 0)
    assert DigitsDvs(**SMALL).load().checksums != plain


def test_fields_of_the_camera_are_laid_over_those_of_the_source():
    camera = MnistDvs.from_dict({"camera": {"seed": 3}}).camera
    assert camera == Camera(inverted=True, offset=(0, 1), seed=3)
    assert DigitsDvs.from_dict({"camera": {"on": 0.2}}).camera.sensor == (16, 16)
    assert MnistDvs(camera=Camera(seed=3)).camera == Camera(seed=3)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"images": {"name": "digits", "train_limit": 3}}, r"images\.train_limit"),
        ({"images": "digit"}, "digits"),
        ({"images": "digits", "camera": {"sensr": [3, 3]}}, "sensor"),
        ({"images": "digits", "camera": {"off": 0}}, r"camera\.off"),
        ({}, "images"),
    ],
)
def test_wrong_fields_are_named(fields, told):
    with pytest.raises(ConfigError, match=told):
        Simulated.from_dict(fields)


def test_recordings_cannot_be_recorded():
    source = Simulated.from_dict({"images": "digits-dvs", **SMALL})
    with pytest.raises(ConfigError, match="source of images"):
        source.load()
