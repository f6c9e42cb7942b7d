"""Optimisers, learning-rate schedules and augmentations."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.rules.optimisers import SGD, Adam, Constant, Cosine, Crop, Flip, Step


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_parameter(value: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value, dtype=torch.float64))


class TestOptimisers:
    @pytest.mark.parametrize(
        ("settings", "kind", "given"),
        [
            (
                SGD(lr=0.2, momentum=0.5, nesterov=True, weight_decay=1e-3),
                torch.optim.SGD,
                {"lr": 0.2, "momentum": 0.5, "nesterov": True, "weight_decay": 1e-3},
            ),
            (
                SGD(),
                torch.optim.SGD,
                {"lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
            ),
            (
                Adam(lr=0.02, betas=(0.8, 0.99), amsgrad=True, weight_decay=1e-2),
                torch.optim.Adam,
                {"lr": 0.02, "betas": (0.8, 0.99), "amsgrad": True, "weight_decay": 1e-2},
            ),
            (
                Adam(),
                torch.optim.Adam,
                {"lr": 1e-3, "betas": (0.9, 0.999), "amsgrad": False, "weight_decay": 0.0},
            ),
        ],
    )
    def test_hand_all_values_on(self, settings, kind, given):
        parameter = one_parameter()
        made = settings.build(iter([parameter]))
        assert type(made) is kind
        (group,) = made.param_groups
        assert {key: group[key] for key in given} == given
        assert group["params"] == [parameter]

    def test_two_steps_of_momentum_by_hand(self):
        # Gradient of w^2 / 2 is w. Velocity 1, then 0.5 * 1 + 0.9 = 1.4; w = 1, 0.9, 0.76.
        parameter = one_parameter()
        optimiser = SGD(lr=0.1, momentum=0.5).build([parameter])
        for expected in (0.9, 0.76):
            optimiser.zero_grad()
            (parameter**2 / 2).backward()
            optimiser.step()
            assert parameter.item() == pytest.approx(expected)

    def test_adam_starts_with_a_step_of_the_learning_rate(self):
        parameter = one_parameter()
        optimiser = Adam(lr=0.01).build([parameter])
        (parameter**2 / 2).backward()
        optimiser.step()
        assert parameter.item() == pytest.approx(0.99, abs=1e-6)

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            (SGD, {"lr": 0}),
            (SGD, {"momentum": 1.0}),
            (SGD, {"weight_decay": -1e-4}),
            (SGD, {"lr": math.inf}),
            (Adam, {"lr": -1.0}),
            (Adam, {"betas": (0.9,)}),
            (Adam, {"betas": (1.5, 0.9)}),
            (Adam, {"betas": (0.9, -0.1)}),
        ],
    )
    def test_refuse_values_out_of_range(self, kind, fields):
        with pytest.raises(ConfigError, match=next(iter(fields))):
            kind(**fields).build([one_parameter()])

    def test_nesterov_needs_momentum(self):
        with pytest.raises(ConfigError, match="momentum"):
            SGD(nesterov=True, momentum=0).build([one_parameter()])


class TestSchedules:
    @pytest.mark.parametrize(
        ("schedule", "table"),
        [
            (Constant(), {0: 1, 0.5: 1, 0.999: 1}),
            # (1 + cos(pi p)) / 2
            (Cosine(), {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 0.75: 0.1464466}),
            (Cosine(warmup=0.2), {0.2: 1, 0.6: 0.5, 0.2 + 0.8 / 3: 0.75}),
            (
                Step(),
                {
                    0: 1,
                    0.59: 1,
                    0.6: 0.1,
                    0.79: 0.1,
                    0.8: 0.01,
                    0.89: 0.01,
                    0.9: 0.001,
                    0.99: 0.001,
                },
            ),
            (Step(at=(0.5,), gamma=0.5), {0.49: 1, 0.5: 0.5, 0.99: 0.5}),
            (Step(at=()), {0: 1, 0.99: 1}),
        ],
        ids=str,
    )
    def test_by_table(self, schedule, table):
        assert [schedule.factor(p) for p in table] == pytest.approx(list(table.values()))

    @pytest.mark.parametrize("warmup", [0.001, 0.002, 0.01, 0.1, 0.5])
    def test_warm_up_rises_to_the_peak_and_no_higher(self, warmup):
        factors = [Cosine(warmup=warmup).factor(warmup * i / 100) for i in range(101)]
        assert factors[0] == 0
        assert (np.diff(factors) >= 0).all()
        assert factors[-1] == 1

    def test_warm_up_is_a_line(self):
        factors = [Cosine(warmup=0.5).factor(i / 10) for i in range(5)]
        assert factors == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8], abs=0.01)

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            (Cosine, {"warmup": 1.0}),
            (Cosine, {"warmup": -0.1}),
            (Step, {"gamma": 0.0}),
            (Step, {"gamma": 1.5}),
            (Step, {"at": (1.5,)}),
            (Step, {"at": (0.5, -0.2)}),
        ],
    )
    def test_refuse_values_out_of_range(self, kind, fields):
        with pytest.raises(ConfigError, match=next(iter(fields))):
            kind(**fields)


class TestFlip:
    def test_by_hand(self):
        row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        found = {tuple(Flip().apply(row, noise(seed)).flatten().tolist()) for seed in range(20)}
        assert found == {(1.0, 2.0, 3.0), (3.0, 2.0, 1.0)}

    def test_each_image_by_itself_about_every_second(self):
        images = torch.rand(1000, 2, 3, 4, generator=noise(9))
        flipped = Flip().apply(images, noise(1))
        kept = (flipped == images).all(3).all(2).all(1)
        mirrored = (flipped == images.flip(3)).all(3).all(2).all(1)
        assert (kept ^ mirrored).all()
        assert 400 < int(mirrored.sum()) < 600  # 6 standard deviations

    def test_never_upside_down(self):
        images = torch.arange(6.0).view(1, 1, 3, 2).repeat(50, 1, 1, 1)
        assert (Flip().apply(images, noise()).sum(3) == images.sum(3)).all()


class TestCrop:
    @pytest.mark.parametrize("shape", [(3, 5, 4), (1, 3, 6)])
    def test_is_a_window_of_the_padded_image(self, shape):
        channels, height, width = shape
        images = 1 + torch.rand(60, *shape, generator=noise(9))
        cropped = Crop(pad=1).apply(images, noise(1))
        assert cropped.shape == images.shape
        padded = np.zeros((60, channels, height + 2, width + 2), dtype=np.float32)
        padded[:, :, 1:-1, 1:-1] = images.numpy()
        places = []
        for image, whole in zip(cropped.numpy(), padded, strict=True):
            places += [
                (top, left)
                for top in range(3)
                for left in range(3)
                if (whole[:, top : top + height, left : left + width] == image).all()
            ]
        assert len(places) == 60
        assert set(places) == {(top, left) for top in range(3) for left in range(3)}

    def test_places_are_even(self):
        pixel = torch.zeros(2500, 1, 5, 5)
        pixel[:, :, 2, 2] = 1
        found = Crop(pad=2).apply(pixel, noise(3)).sum(0)[0]
        assert found.sum() == 2500
        # 100 expected at each of 25 places, standard deviation 9.8
        assert 50 < found.min() <= found.max() < 150

    @pytest.mark.parametrize("pad", [0, -1, 1.5])
    def test_refuses_what_is_no_padding(self, pad):
        with pytest.raises(ConfigError, match="pad"):
            Crop(pad=pad)
