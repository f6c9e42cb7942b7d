"""Blending triggers: a whole picture, random pieces of one, and one patch of several."""

import numpy as np
import pytest

from spikedoor.attack.triggers import AdaptiveBlend, AdaptivePatch, Blended
from spikedoor.data.base import ImageSet
from spikedoor.errors import ConfigError


def flat(level: int, shape: tuple[int, int, int] = (1, 4, 4), count: int = 2) -> np.ndarray:
    return np.full((count, *shape), level, dtype=np.uint8)


def train(shape: tuple[int, int, int] = (1, 8, 8)) -> ImageSet:
    return ImageSet(flat(0, shape, 3), np.arange(3, dtype=np.int64), ("a", "b", "c"), "flat")


class TestBlended:
    def test_rows_are_stretched_and_blended(self):
        trigger = Blended(pattern=((0, 200), (100, 255)), alpha=0.25)
        after = trigger.apply(flat(40))
        # 3/4 * 40 + 1/4 * (0, 200, 100, 255) = 30, 80, 55, 93.75
        expected = [[30, 30, 80, 80]] * 2 + [[55, 55, 94, 94]] * 2
        assert after[:, 0].tolist() == [expected] * 2

    def test_rows_of_colours(self):
        trigger = Blended(pattern=(((255, 0, 100),),), alpha=1)
        assert trigger.apply(flat(9, (3, 2, 2)))[0, :, 0, 0].tolist() == [255, 0, 100]

    def test_checkerboard(self):
        after = Blended(pattern="checkerboard", alpha=0.2).apply(flat(100, (3, 2, 3)))
        # .8 * 100 + .2 * 255 = 131, and .8 * 100 = 80
        assert after[0].tolist() == [[[131, 80, 131], [80, 131, 80]]] * 3

    def test_test_may_show_more_than_training(self):
        trigger = Blended(pattern=((255,),), alpha=0.2, alpha_test=0.6)
        assert (trigger.apply_in_training(flat(0), np.arange(2)) == 51).all()
        assert (trigger.apply(flat(0)) == 153).all()

    def test_noise_is_uniform_and_the_same_for_all_images(self):
        shape = (3, 32, 32)
        trigger = Blended(alpha=1).prepare(train(shape), 5)
        first, second = trigger.apply(flat(7, shape))
        assert (first == second).all()
        counts = np.bincount(first.ravel() // 64, minlength=4)
        # Binomial(3072, 1/4): mean 768, standard deviation 24.
        assert abs(counts - 768).max() < 120
        assert (Blended(alpha=1).prepare(train(shape), 6).apply(flat(7, shape))[0] != first).any()

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"pattern": "stripes"}, "pattern.*'checkerboard'.*got 'stripes'"),
            ({"pattern": [[1, 2], [3]]}, "rows of one length, got 2 of 1 or 2"),
            ({"pattern": []}, "rows of one length, got 0 of 0"),
            ({"pattern": [[]]}, "rows of one length, got 1 of 0"),
            ({"alpha": 0}, "alpha: .*greater than 0, got 0"),
            ({"alpha_test": 1.1}, "alpha_test: .*less than or equal to 1"),
        ],
    )
    def test_wrong_fields_are_one_line(self, fields, message):
        with pytest.raises(ConfigError, match=message) as caught:
            Blended(**fields)
        assert "\n" not in str(caught.value)

    def test_a_coloured_picture_needs_one_or_three_channels(self):
        with pytest.raises(ConfigError, match="1 or 3 channels, got 2"):
            Blended(pattern=(((1, 2, 3),),)).apply(flat(0, (2, 4, 4)))


class TestAdaptiveBlend:
    WHITE = ((255,),)
    INDICES = np.arange(400)

    def shown(self, **fields) -> np.ndarray:
        """Return which of the 4 x 4 pieces 400 samples show, bool [400, 4, 4]."""
        trigger = AdaptiveBlend(pattern=self.WHITE, **fields).prepare(train(), 3)
        after = trigger.apply_in_training(flat(0, (1, 8, 8), 400), self.INDICES)[:, 0]
        assert set(np.unique(after)) <= {0, 38}  # .15 * 255 = 38.25
        pieces = after.reshape(400, 4, 2, 4, 2)
        assert (pieces == pieces[:, :, :1, :, :1]).all()
        return pieces[:, :, 0, :, 0] > 0

    def test_training_shows_exactly_half_of_the_pieces(self):
        shown = self.shown()
        assert (shown.sum(axis=(1, 2)) == 8).all()
        # Binomial(400, 1/2): mean 200, standard deviation 10; five of them.
        assert abs(shown.sum(axis=0) - 200).max() < 50
        assert len({tuple(one.ravel()) for one in shown}) > 350
        assert (self.shown(shown=0.01).sum(axis=(1, 2)) == 1).all()
        assert self.shown(shown=1).all()

    def test_test_shows_the_whole_picture_and_more_of_it(self):
        trigger = AdaptiveBlend(pattern=self.WHITE).prepare(train(), 3)
        assert (trigger.apply(flat(0, (1, 8, 8))) == 51).all()  # .2 * 255

    def test_pieces_of_a_side_that_does_not_divide(self):
        trigger = AdaptiveBlend(pattern=self.WHITE, grid=2, shown=0.25).prepare(train(), 3)
        after = trigger.apply_in_training(flat(0, (1, 3, 3), 64), np.arange(64))[:, 0] > 0
        corners = {(0, 0): 4, (0, 2): 2, (2, 0): 2, (2, 2): 1}
        for place, size in corners.items():
            found = after[after[(slice(None), *place)]]
            assert len(found)
            assert (found.sum(axis=(1, 2)) == size).all()

    def test_an_image_smaller_than_the_grid(self):
        trigger = AdaptiveBlend(grid=9).prepare(train(), 3)
        for use in (trigger.apply, lambda x: trigger.mask(x.shape[1:])):
            with pytest.raises(ConfigError, match="9x9 pieces do not fit into a 8x8 image"):
                use(flat(0, (1, 8, 8)))


class TestAdaptivePatch:
    CORNERS = ("bottom-right", "bottom-left", "top-left", "top-right")

    def test_training_shows_one_and_test_all(self):
        trigger = AdaptivePatch(size=2, alpha=0.5).prepare(train(), 4)
        whole = trigger.apply(flat(0, (1, 8, 8)))[0, 0].astype(int)
        inside = trigger.mask((1, 8, 8))[0]
        assert inside.sum() == 16
        assert inside[:2, :2].all()
        assert inside[-2:, -2:].all()
        assert not whole[~inside].any()
        after = trigger.apply_in_training(flat(0, (1, 8, 8), 400), np.arange(400))[:, 0]
        quarters = after.reshape(400, 2, 4, 2, 4).any(axis=(2, 4)).reshape(400, 4)
        assert (quarters.sum(axis=1) == 1).all()
        # Binomial(400, 1/4): mean 100, standard deviation 8.7; five of them.
        assert abs(quarters.sum(axis=0) - 100).max() < 44
        assert (after.max(axis=0) == np.rint(whole / 2)).all()

    def test_corners_may_be_chosen(self):
        trigger = AdaptivePatch(size=3, corners=("top-right",)).prepare(train(), 4)
        expected = np.zeros((8, 8), dtype=bool)
        expected[:3, -3:] = True
        assert (trigger.mask((1, 8, 8))[0] == expected).all()

    def test_what_does_not_fit(self):
        with pytest.raises(ConfigError, match="expected each once, got top-left, top-left"):
            AdaptivePatch(corners=("top-left", "top-left"))
        with pytest.raises(ConfigError, match="would meet; the size can be 4 at most"):
            AdaptivePatch(size=5).prepare(train(), 0).mask((1, 8, 9))
