"""Corruptions that leave the image as it is, and the score by hand."""

import numpy as np
import pytest
from defence_cases import case
from input_cases import event_case, shown

from spikedoor.data import Digits, ImageSet
from spikedoor.defences.detect import Teco
from spikedoor.defences.detect.corruptions import CORRUPTIONS, corrupted
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
    images = np.random.default_rng(0).integers(0, 200, (4, 3, 32, 32), np.uint8)
    away = [np.abs(corrupted(images, name, s) - images.astype(float)).mean() for s in range(1, 6)]
    assert away[0] > 0
    assert (np.diff(away) > 0).all()


def test_brightness_and_contrast_by_hand():
    image = np.array([0, 100, 200, 240], np.uint8).reshape(1, 1, 2, 2)  # mean 135
    assert corrupted(image, "brightness", 2).ravel().tolist() == [51, 151, 251, 255]
    assert corrupted(image, "contrast", 3).ravel().tolist() == [108, 128, 148, 156]


def test_pixelate_by_hand():
    image = np.array([[0, 20, 100, 140]] * 4, np.uint8)[None, None]
    assert corrupted(image, "pixelate", 2)[0, 0, 0].tolist() == [10, 10, 120, 120]
    assert (corrupted(image, "pixelate", 5) == 65).all()


@pytest.mark.parametrize("name", ["defocus-blur", "gaussian-blur", "motion-blur", "zoom-blur",
                                  "elastic", "pixelate", "contrast"])  # fmt: skip
def test_what_averages_leaves_an_even_image_as_it_is(name):
    for shape in ((1, 3, 32, 32), (1, 1, 8, 10)):
        even = np.full(shape, 77, np.uint8)
        assert (corrupted(even, name, 5) == 77).all()


def test_a_blur_takes_the_same_share_of_a_large_image():
    small, large = (np.zeros((1, 1, side, side), np.uint8) for side in (32, 64))
    small[..., 14:18, 14:18] = large[..., 28:36, 28:36] = 255
    for name in ("defocus-blur", "gaussian-blur", "motion-blur"):
        few, many = (corrupted(image, name, 3).astype(float) for image in (small, large))
        assert few[..., 16, 16] == pytest.approx(many[..., 31:33, 31:33].mean(), abs=30)


def test_colour_and_grey_are_taken_and_no_image_depends_on_another():
    colour = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), np.uint8)
    for name in CORRUPTIONS:
        both = corrupted(colour, name, 4)
        assert np.array_equal(corrupted(colour[1:2], name, 4), both[1:2])
        assert corrupted(colour[:, :1], name, 4).shape == (3, 1, 32, 32)


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


def test_a_corruption_that_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="got 'blur'"):
        Teco(corruptions=("fog", "blur"))


def test_recordings_are_refused():
    of = event_case()
    with pytest.raises(ConfigError, match="'bands' holds events"):
        Teco().detect(of.stage, of.defender(), shown(of, 5))
