"""Corruptions that leave the image as it is, and the score by hand."""

import numpy as np
import pytest
from defence_cases import case
from input_cases import event_case, shown

from spikedoor.data import Digits, ImageSet
from spikedoor.defences.detect import Teco
from spikedoor.defences.detect.teco import CORRUPTIONS, corrupted
from spikedoor.errors import ConfigError

IMAGES = Digits().load().test.images[:20]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_f6_each_corruption_is_of_the_image_as_it_came(name):
    images = IMAGES.copy()
    alone = corrupted(images, name, 3)
    for other in CORRUPTIONS:
        corrupted(images, other, 5)
    assert np.array_equal(images, IMAGES)
    assert np.array_equal(corrupted(images, name, 3), alone)
    assert alone.dtype == np.uint8
    assert alone.shape == images.shape


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_grow_with_their_severity(name):
    away = [
        np.abs(corrupted(IMAGES, name, s).astype(float) - IMAGES).mean() for s in (1, 2, 3, 4, 5)
    ]
    assert away[0] > 0
    assert (np.diff(away) > 0).all()


def test_brightness_and_contrast_by_hand():
    image = np.array([0, 100, 200, 240], np.uint8).reshape(1, 1, 2, 2)  # mean 135
    assert corrupted(image, "brightness", 2).ravel().tolist() == [51, 151, 251, 255]
    assert corrupted(image, "contrast", 4).ravel().tolist() == [81, 121, 161, 177]


def test_score_is_the_deviation_of_the_first_severities_that_change_the_class():
    of = case("hybrid", "blended")
    inputs = shown(of, 40)
    found = Teco().detect(of.stage, of.defender(), inputs)
    said = of.stage.predict(inputs, title=None)[-1]
    images = inputs.batch(np.arange(len(inputs)))
    first = np.full((len(CORRUPTIONS), len(inputs)), 6)
    for i, name in enumerate(CORRUPTIONS):
        for severity in (5, 4, 3, 2, 1):
            data = ImageSet(
                corrupted(images, name, severity), np.zeros_like(said), inputs.classes, "corrupted"
            )
            first[i, of.stage.predict(data, title=None)[-1] != said] = severity
    np.testing.assert_allclose(found.scores, first.std(0))
    assert len(np.unique(first)) == 6


def test_recordings_are_refused():
    of = event_case()
    with pytest.raises(ConfigError, match="'bands' holds events"):
        Teco().detect(of.stage, of.defender(), shown(of, 5))
