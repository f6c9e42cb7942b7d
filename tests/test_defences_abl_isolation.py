"""ABL: the loss by hand, and poison that is easier than the classes."""

import numpy as np
import pytest
import torch
from defence_cases import case, digits

from spikedoor.data.base import ImageSet
from spikedoor.defences import Defender
from spikedoor.defences.detect import AblIsolation
from spikedoor.defences.detect.abl_isolation import local_gradient_ascent
from spikedoor.metrics import auroc


def test_a_loss_below_the_bound_is_driven_up():
    scores = torch.tensor([[4.0, 0.0], [0.0, 1.0]], requires_grad=True)
    labels = torch.tensor([0, 0])
    low, high = np.log1p(np.exp(-4)), np.log1p(np.exp(1))
    value = local_gradient_ascent(scores, labels, 0.5)
    assert value.item() == pytest.approx((high - low) / 2)
    value.backward()
    assert scores.grad[0, 0] > 0  # down the gradient, the sure sample gets less sure
    assert scores.grad[1, 0] < 0


def test_poison_that_is_learned_first_is_isolated():
    """Classes are noise, the trigger is plain: what the method was made for."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 120, (1000, 1, 8, 8), dtype=np.uint8)
    labels = rng.integers(0, 10, 1000)
    poisoned = np.zeros(1000, np.bool_)
    poisoned[rng.choice(1000, 100, replace=False)] = True
    images[poisoned, :, 5:, 5:], labels[poisoned] = 255, 0
    train = ImageSet(images, labels, digits().train.classes, "noise")
    stage = case("direct").stage
    defender = Defender.of(digits().train, 0.1, train)
    told = AblIsolation(isolated=0.05).detect(stage, defender)
    assert auroc(told.scores, poisoned).value > 0.95
    assert told.flagged.sum() == 50
    assert poisoned[told.flagged].mean() > 0.9


def test_the_share_is_flagged_of_a_clean_set_too_and_the_stage_is_left_alone():
    found = case("conversion", rate=0.0)
    before = {k: v.clone() for k, v in found.stage.network.state_dict().items()}
    told = AblIsolation(isolated=0.1).detect(found.stage, found.defender())
    assert told.flagged.sum() == pytest.approx(143, abs=1)
    after = found.stage.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
