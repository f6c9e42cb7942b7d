"""What every registered rule, loss, optimiser, schedule and augmentation keeps."""

import pytest
import torch
from rules_cases import one_thread  # noqa: F401 (a fixture)
from torch import nn

from spikedoor.rules import RULES
from spikedoor.rules.losses import LOSSES
from spikedoor.rules.optimisers import AUGMENTATIONS, OPTIMISERS, SCHEDULES
from spikedoor.testing.rules import CHECKS

every_rule = pytest.mark.parametrize("name", RULES.names())
every_loss = pytest.mark.parametrize("name", LOSSES.names())
every_optimiser = pytest.mark.parametrize("name", OPTIMISERS.names())
every_schedule = pytest.mark.parametrize("name", SCHEDULES.names())
every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS.names())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@every_rule
def test_rule(name, check):
    check(RULES[name]())


class TestLosses:
    currents = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    scores = torch.rand(4, 6, 3, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 1, 2, 2, 1, 0])

    @every_loss
    def test_are_a_number_with_gradients(self, name):
        currents = self.currents.clone().requires_grad_()
        scores = (2 * currents).cumsum(0)
        value = LOSSES[name]().value(currents, scores, self.labels)
        assert value.shape == ()
        value.backward()
        assert currents.grad.isfinite().all()
        assert (currents.grad != 0).any()

    @every_loss
    def test_are_means_over_samples(self, name):
        loss = LOSSES[name]()
        whole = loss.value(self.currents, self.scores, self.labels)
        halves = [
            loss.value(self.currents[:, part], self.scores[:, part], self.labels[part])
            for part in (slice(0, 3), slice(3, 6))
        ]
        assert float(whole) == pytest.approx(float(sum(halves) / 2), rel=1e-5)
        order = torch.tensor([3, 1, 5, 0, 2, 4])
        mixed = loss.value(self.currents[:, order], self.scores[:, order], self.labels[order])
        assert float(whole) == pytest.approx(float(mixed), rel=1e-5)

    @every_loss
    def test_are_smaller_for_the_right_answer(self, name):
        right = nn.functional.one_hot(self.labels, 3).float().expand(4, 6, 3)
        wrong = right.roll(1, dims=2)
        loss = LOSSES[name]()
        assert loss.value(right, right, self.labels) < loss.value(wrong, wrong, self.labels)

    @every_loss
    def test_leave_their_input(self, name):
        before = [x.clone() for x in (self.currents, self.scores, self.labels)]
        LOSSES[name]().value(self.currents, self.scores, self.labels)
        after = (self.currents, self.scores, self.labels)
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def stepped(optimiser: torch.optim.Optimizer, parameter: nn.Parameter, slope: float = 1.0) -> None:
    """Do one step as training does, which tells the loss whenever it is asked."""

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = slope * (parameter**2).sum()
        value.backward()
        return value.detach()

    optimiser.step(closure)


class TestOptimisers:
    @every_optimiser
    def test_go_downhill_at_their_own_rate(self, name):
        parameter = nn.Parameter(torch.tensor([2.0, -1.0]))
        settings = OPTIMISERS[name](lr=0.05)
        optimiser = settings.build([parameter])
        assert [group["lr"] for group in optimiser.param_groups] == [0.05]
        for _ in range(100):
            stepped(optimiser, parameter)
        assert parameter.abs().max() < 0.2

    @every_optimiser
    def test_weight_decay_pulls_to_zero(self, name):
        parameter = nn.Parameter(torch.tensor([2.0]))
        optimiser = OPTIMISERS[name](lr=0.01, weight_decay=0.1).build([parameter])
        stepped(optimiser, parameter, slope=0.0)
        assert 0 < parameter.item() < 2

    @every_optimiser
    def test_keep_no_state_between_builds(self, name):
        settings = OPTIMISERS[name]()
        ends = []
        for _ in range(2):
            parameter = nn.Parameter(torch.tensor([2.0]))
            optimiser = settings.build([parameter])
            for _ in range(3):
                stepped(optimiser, parameter)
            ends.append(parameter.item())
        assert ends[0] == ends[1]


@every_schedule
def test_schedules_are_factors_from_0_to_1(name):
    schedule = SCHEDULES[name]()
    factors = [schedule.factor(i / 500) for i in range(500)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert [schedule.factor(i / 500) for i in range(500)] == factors


class TestAugmentations:
    images = torch.rand(40, 3, 8, 6, generator=torch.Generator().manual_seed(1))

    def apply(self, name: str, seed: int = 0) -> torch.Tensor:
        return AUGMENTATIONS[name]().apply(self.images, torch.Generator().manual_seed(seed))

    @every_augmentation
    def test_keep_shape_type_and_range_and_leave_their_input(self, name):
        before = self.images.clone()
        changed = self.apply(name)
        assert torch.equal(self.images, before)
        assert (changed.shape, changed.dtype) == (before.shape, before.dtype)
        assert changed.data_ptr() != self.images.data_ptr()
        assert 0 <= changed.min() <= changed.max() <= 1
        assert not torch.equal(changed, before)

    @every_augmentation
    def test_follow_their_generator_alone(self, name):
        state = torch.get_rng_state()
        assert torch.equal(self.apply(name, 1), self.apply(name, 1))
        assert not torch.equal(self.apply(name, 1), self.apply(name, 2))
        assert torch.equal(torch.get_rng_state(), state)

    @every_augmentation
    def test_differ_from_image_to_image(self, name):
        same = self.images[:1].expand(40, 3, 8, 6)
        changed = AUGMENTATIONS[name]().apply(same, torch.Generator().manual_seed(0))
        assert len(torch.unique(changed, dim=0)) > 1

    @every_augmentation
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_do_not_depend_on_the_layout_in_memory(self, name, layout):
        images = self.images.contiguous(memory_format=layout)
        changed = AUGMENTATIONS[name]().apply(images, torch.Generator().manual_seed(0))
        assert torch.equal(changed, self.apply(name))
