"""The warp, against torch's sampler and shifts that can be done by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from spikedoor.attack.triggers import wanet
from spikedoor.attack.triggers.wanet import WaNet
from spikedoor.data.base import ImageSet

SHAPE = (3, 32, 32)


def images(count: int = 3, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def prepared(seed: int = 1, **fields) -> WaNet:
    train = ImageSet(images(1), np.zeros(1, dtype=np.int64), ("a",), "random")
    return WaNet(**fields).prepare(train, seed)


def sampled(batch: np.ndarray, shifts: torch.Tensor) -> np.ndarray:
    """Warp by torch; shifts [B or 1, H, W, 2] as (x, y) in its coordinates from -1 to 1."""
    height, width = batch.shape[2:]
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    grid = (torch.stack([x, y], dim=-1) + shifts).clamp(-1, 1).float()
    grid = grid.expand(len(batch), -1, -1, -1)
    return functional.grid_sample(torch.from_numpy(batch).float(), grid, align_corners=True).numpy()


def field(trigger: WaNet, height: int, width: int) -> torch.Tensor:
    """Return the trigger's field in torch's coordinates, (x, y) last."""
    down, right = trigger._field(height, width)
    scaled = [2 * right / (width - 1), 2 * down / (height - 1)]
    return torch.from_numpy(np.stack(scaled, axis=-1))[None]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 9, 14)])
@pytest.mark.parametrize("upsampling", ["bicubic", "bilinear"])
def test_agrees_with_grid_sample(shape, upsampling):
    trigger, batch = prepared(strength=4, upsampling=upsampling), images(3, shape)
    expected = sampled(batch, field(trigger, *shape[1:]))
    assert abs(trigger.apply(batch) - expected).max() < 0.51


def test_field_is_normalised_noise_enlarged_with_corners_aligned():
    # A grid of the image's size is the noise itself, so its normalisation can be read.
    fine = field(prepared(grid=32, upsampling="bilinear"), 32, 32).numpy() * 32 / 0.5
    assert np.abs(fine).mean() == pytest.approx(1)
    assert np.abs(fine).max() < 2.2  # of uniform numbers the largest is twice the mean
    whole = field(prepared(grid=2, upsampling="bilinear"), 32, 32)[0].permute(2, 0, 1)
    assert whole[:, ::31, ::31].abs().mean() * 32 / 0.5 == pytest.approx(1)
    expected = functional.interpolate(
        whole[None, :, ::31, ::31], size=32, mode="bilinear", align_corners=True
    )
    assert torch.allclose(whole, expected[0])


def test_whole_and_half_pixels_by_hand():
    ramp = np.tile(np.arange(0, 60, 10, dtype=np.uint8), (6, 1))[None, None]
    right = np.stack([np.zeros((6, 6)), np.ones((6, 6))])[None]
    assert wanet._warped(ramp, right)[0, 0, 0].tolist() == [10, 20, 30, 40, 50, 50]
    assert wanet._warped(ramp, right / 2)[0, 0, 3].tolist() == [5, 15, 25, 35, 45, 50]
    down = right[:, ::-1]
    assert (wanet._warped(ramp, down) == ramp).all()
    column = ramp.transpose(0, 1, 3, 2)
    assert wanet._warped(column, down)[0, 0, :, 0].tolist() == [10, 20, 30, 40, 50, 50]


def test_noise_mode_jitters_each_sample_by_half_a_pixel():
    trigger, batch = prepared(), images(1).repeat(40, axis=0)
    after = trigger.apply_to_cover(batch, np.arange(40))
    assert len({one.tobytes() for one in after}) == 40
    again = trigger.apply_to_cover(batch[:2], np.array([39, 7]))
    assert (again == after[[39, 7]]).all()
    assert (trigger.apply_in_training(batch, np.arange(40)) == trigger.apply(batch)).all()
    # A ramp shows the moves: 4 levels a pixel, each axis jittered by up to (W - 1) / (2 W).
    ramp = np.tile(np.arange(0, 128, 4, dtype=np.uint8), (32, 1))[None, None].repeat(40, axis=0)
    moved = trigger.apply_to_cover(ramp, np.arange(40)).astype(float) - trigger.apply(ramp)
    inside = moved[:, 0, :, 3:-3] / 4
    assert np.abs(inside).max() <= 31 / 64 + 0.26
    assert inside.mean() == pytest.approx(0, abs=0.01)
    assert inside.std() == pytest.approx(31 / 64 / np.sqrt(3), abs=0.05)
