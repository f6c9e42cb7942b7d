"""STRIP against its formula, one blend at a time, and on planted backdoors."""

import numpy as np
import pytest
from defence_cases import case, digits
from event_cases import bands
from input_cases import event_case, separation, shown

from spikedoor.data import ImageSet
from spikedoor.defences import Defender
from spikedoor.defences.detect import Strip
from spikedoor.defences.detect.calibrated import simulated
from spikedoor.defences.detect.strip import blend
from spikedoor.victim import Stage


def test_images_are_added_up_to_full_brightness_or_averaged():
    x = np.array([200, 7, 0], np.uint8).reshape(1, 1, 1, 3)
    other = np.array([100, 4, 0], np.uint8).reshape(1, 1, 1, 3)
    assert blend(x, other).ravel().tolist() == [255, 11, 0]
    assert blend(x, other, "average").ravel().tolist() == [150, 5, 0]
    assert x.ravel().tolist() == [200, 7, 0]


def test_frames_of_counts_are_added_and_binary_ones_united():
    counts = np.array([65000, 1], np.uint16).reshape(1, 1, 2, 1, 1)
    assert blend(counts, counts).ravel().tolist() == [130000, 2]
    signed = np.array([-3, 1], np.int16).reshape(1, 2, 1, 1, 1)
    assert blend(signed, signed).ravel().tolist() == [-6, 2]
    binary = np.array([1, 0, 1, 0], np.uint8).reshape(1, 2, 2, 1, 1)
    other = np.array([1, 1, 0, 0], np.uint8).reshape(1, 2, 2, 1, 1)
    assert blend(binary, other).ravel().tolist() == [1, 1, 1, 0]


def test_of_recordings_every_event_of_both_is_kept_and_no_other():
    events = bands(6).batch(np.arange(6))
    one = events.take(np.array([4]))
    union = blend(events, one)
    for i in range(6):
        rows = [np.stack([e.t, e.x, e.y, e.p], 1) for e in (events.take(np.array([i])), one)]
        expected = np.concatenate(rows)
        found = union.take(np.array([i]))
        got = np.stack([found.t, found.x, found.y, found.p], 1)
        assert sorted(map(tuple, got)) == sorted(map(tuple, expected))
        assert (np.diff(got[:, 0].astype(int)) >= 0).all()


def surprise(stage: Stage, images: np.ndarray) -> float:
    """Mean entropy of some images, by another way."""
    data = ImageSet(images, np.zeros(len(images), np.int64), digits().train.classes, "blends")
    z = simulated(stage, data)[-1]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return float(-(p * np.log(p)).sum(1).mean())


@pytest.mark.parametrize("how", ["add", "average"])
def test_score_is_the_negative_mean_entropy_over_the_blends_none_with_itself(how):
    of = case()
    train = of.data.train
    defender = Defender(train.subset(np.arange(15)), train.subset(np.arange(15, 25)))
    known = train.images[:25].astype(int)
    inputs = shown(of, 3)
    found = Strip(images=how, overlays=100).detect(of.stage, defender, inputs)

    def score(image: np.ndarray, overlays: np.ndarray) -> float:
        both = np.minimum(image + overlays, 255) if how == "add" else (image + overlays) // 2
        return -surprise(of.stage, both.astype(np.uint8))

    expected = [score(x.astype(int), known) for x in inputs.batch(np.arange(6))]
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
    clean = sorted(score(known[i], np.delete(known, i, 0)) for i in range(25))
    assert found.threshold == pytest.approx(clean[24], rel=1e-4)  # ceil(26 * 0.95) = 25


@pytest.mark.parametrize("rule", ["direct", "conversion", "hybrid"])
def test_patches_are_found_as_the_paper_claims(rule):
    of = case(rule, "patch")
    inputs = shown(of)
    found = Strip(overlays=32).detect(of.stage, of.defender(), inputs)
    assert separation(found, inputs) > 0.95
    assert found.flagged[inputs.from_second].mean() > 0.9
    clean = case(rule, "patch", rate=0.0)
    without = Strip(overlays=32).detect(clean.stage, clean.defender(), inputs)
    assert separation(without, inputs) < 0.7


def test_averages_find_a_trigger_that_fills_the_image():
    of = case("hybrid", "blended")
    inputs = shown(of)
    found = Strip(images="average", overlays=32).detect(of.stage, of.defender(), inputs)
    assert separation(found, inputs) > 0.95


def test_unions_of_events_find_a_static_trigger():
    of, clean = event_case(), event_case(rate=0.0)
    inputs = shown(of)
    found = Strip(overlays=32).detect(of.stage, of.defender(), inputs)
    assert separation(found, inputs) > 0.95
    without = Strip(overlays=32).detect(clean.stage, clean.defender(), inputs)
    assert separation(without, inputs) < 0.7
