"""Sinusoid, DCT mark, smooth noise and fewer levels, against closed forms."""

import math

import numpy as np
import pytest

from spikedoor.attack.triggers import Bpp, FTrojan, LowFrequency, Sinusoid
from spikedoor.data.base import ImageSet
from spikedoor.errors import ConfigError


def flat(level: int, shape: tuple[int, int, int], count: int = 1) -> np.ndarray:
    return np.full((count, *shape), level, dtype=np.uint8)


class TestSinusoid:
    def test_by_hand(self):
        trigger = Sinusoid(delta=40, frequency=2, delta_test=80)
        # sin(2 pi 2 j / 8) = 0, 1, 0, -1, ...
        images = flat(100, (2, 3, 8))
        expected = [[100, 140, 100, 60, 100, 140, 100, 60]] * 3
        assert trigger.apply_in_training(images, np.arange(1))[0].tolist() == [expected] * 2
        assert trigger.apply(images)[0, 0, 0].tolist() == [100, 180, 100, 20, 100, 180, 100, 20]
        assert trigger.apply(flat(230, (1, 1, 4)))[0, 0, 0].tolist() == [230] * 4
        assert trigger.mask((1, 1, 8))[0, 0].tolist() == [False, True] * 4

    def test_clips_at_both_ends(self):
        trigger = Sinusoid(delta=40, frequency=2)
        assert trigger.apply(flat(250, (1, 1, 8)))[0, 0, 0, :4].tolist() == [250, 255, 250, 210]
        assert trigger.apply(flat(5, (1, 1, 8)))[0, 0, 0, :4].tolist() == [5, 45, 5, 0]

    def test_rounds_the_sine(self):
        after = Sinusoid(delta=40, frequency=1).apply(flat(100, (1, 1, 28)))[0, 0, 0]
        expected = [round(100 + 40 * math.sin(2 * math.pi * j / 28)) for j in range(28)]
        assert after.tolist() == expected


class TestFTrojan:
    @staticmethod
    def basis(u: int, v: int, side: int) -> np.ndarray:
        """Return a function of the orthonormal DCT-II for u, v > 0, written out."""
        place = (2 * np.arange(side) + 1) * math.pi / (2 * side)
        return 2 / side * np.outer(np.cos(place * u), np.cos(place * v))

    def test_grey_is_the_basis_function_itself(self):
        trigger = FTrojan(magnitude=200, window=8, positions=((2, 3),))
        change = trigger.apply(flat(128, (1, 16, 20))).astype(int)[0, 0] - 128
        expected = np.rint(200 * self.basis(2, 3, 8))
        assert (change[:, :16] == np.tile(expected, (2, 2))).all()
        assert not change[:, 16:].any()
        assert not trigger.mask((1, 16, 20))[:, :, 16:].any()

    def test_the_transform_of_the_change_has_the_magnitude_at_the_positions(self):
        # An independent way back: multiply by every basis function.
        change = FTrojan(magnitude=600).apply(flat(128, (1, 32, 32))).astype(float)[0, 0] - 128
        for position, expected in (((15, 15), 600), ((31, 31), 600), ((15, 31), 0), ((7, 9), 0)):
            assert (change * self.basis(*position, 32)).sum() == pytest.approx(expected, abs=6)

    def test_colour_goes_through_both_chroma_channels(self):
        trigger = FTrojan(magnitude=100, window=4, positions=((1, 1),))
        change = trigger.apply(flat(128, (3, 4, 4))).astype(int)[0] - 128
        wave = 100 * self.basis(1, 1, 4)
        for channel, share in zip(change, (1.402, -1.05825, 1.772), strict=True):
            assert (channel == np.rint(share * wave)).all()
        luma = np.tensordot([0.299, 0.587, 0.114], change, 1)
        assert abs(luma).max() < 0.6

    def test_a_smaller_image_is_one_block_with_scaled_positions(self):
        # 15 of 31 at 28 pixels is 13 of 27.
        change = FTrojan(magnitude=300).apply(flat(128, (1, 28, 28))).astype(int)[0, 0] - 128
        expected = 300 * (self.basis(13, 13, 28) + self.basis(27, 27, 28))
        assert (change == np.rint(expected)).all()

    def test_what_does_not_fit(self):
        with pytest.raises(ConfigError, match="1 or 3 channels, got 2"):
            FTrojan().mask((2, 32, 32))
        with pytest.raises(ConfigError, match=r"position \[3, 8\] lies outside a block of 8x8"):
            FTrojan(window=8, positions=((3, 8),))


class TestLowFrequency:
    def change(self, **fields) -> np.ndarray:
        images = flat(128, (3, 64, 64))
        train = ImageSet(images, np.zeros(1, dtype=np.int64), ("a",), "flat")
        trigger = LowFrequency(**fields).prepare(train, 2)
        return trigger.apply(images).astype(float)[0] - 128

    @pytest.mark.parametrize("epsilon", [1, 16, 100])
    def test_keeps_to_its_budget_and_uses_it(self, epsilon):
        assert abs(self.change(epsilon=epsilon)).max() == epsilon

    def test_has_low_frequencies_only(self):
        sigma = 3.0
        change = self.change(epsilon=120, sigma=sigma)
        power = (abs(np.fft.fft2(change)) ** 2).sum(axis=0)
        squared = np.add.outer(np.fft.fftfreq(64) ** 2, np.fft.fftfreq(64) ** 2)
        high = power[squared > 0.15**2].sum() / power.sum()
        # The filter leaves exp(-4 (pi sigma f)^2) of the power; the rest is rounding.
        assert math.exp(-4 * (math.pi * sigma * 0.15) ** 2) < 1e-3
        assert high < 2e-3
        # Below, power falls as the filter says: fit its logarithm on squared frequency.
        low = (squared > 0) & (squared < 0.1**2)
        slope = np.polyfit(squared[low], np.log(power[low]), 1)[0]
        assert slope == pytest.approx(-4 * (math.pi * sigma) ** 2, rel=0.1)


class TestBpp:
    def test_levels_by_hand(self):
        ramp = np.array([0, 18, 19, 54, 55, 127, 128, 236, 237, 255], dtype=np.uint8)
        after = Bpp().apply(ramp.reshape(1, 1, 2, 5)).ravel()
        # 255 / 7 = 36.43: steps 0, 36, 73, 109, 146, ... change at 18.2, 54.6, 127.5, 236.8
        assert after.tolist() == [0, 0, 36, 36, 73, 109, 146, 219, 255, 255]
        assert Bpp(levels=2).apply(ramp.reshape(1, 1, 2, 5)).ravel().tolist() == [0] * 6 + [255] * 4

    def test_error_diffusion_by_hand(self):
        images = np.array([[100, 100], [100, 100]], dtype=np.uint8)[None, None]
        # 100 -> 0, error 100: right 143.75 -> 255, error -111.25.
        # below left: 100 + 500/16 - 333.75/16 = 110.39 -> 0, error 110.39
        # below right: 100 + 100/16 - 556.25/16 + 772.7/16 = 119.78 -> 0
        after = Bpp(levels=2, dithering=True).apply(images)
        assert after[0, 0].tolist() == [[0, 255], [0, 0]]

    @pytest.mark.parametrize("levels", [2, 5, 8])
    def test_error_diffusion_against_one_image_at_a_time(self, levels):
        images = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 6), dtype=np.uint8)
        after = Bpp(levels=levels, dithering=True).apply(images)
        for image, found in zip(images.reshape(-1, 7, 6), after.reshape(-1, 7, 6), strict=True):
            assert found.tolist() == self.diffused(image.tolist(), levels)

    def test_error_diffusion_keeps_the_mean_brightness(self):
        images = flat(70, (1, 40, 40))
        assert abs(Bpp(levels=2, dithering=True).apply(images).mean() - 70) < 3
        assert Bpp(levels=2).apply(images).mean() == 0

    @staticmethod
    def diffused(rows: list[list[float]], levels: int) -> list[list[int]]:
        """Dither one channel the plain way."""
        height, width, step = len(rows), len(rows[0]), 255 / (levels - 1)
        for y in range(height):
            for x in range(width):
                old = rows[y][x]
                rows[y][x] = min(max(round(old / step), 0), levels - 1) * step
                for dy, dx, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                    if y + dy < height and 0 <= x + dx < width:
                        rows[y + dy][x + dx] += (old - rows[y][x]) * share / 16
        return [[round(level) for level in row] for row in rows]
