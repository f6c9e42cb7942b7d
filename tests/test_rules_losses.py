"""Losses against values worked out by hand, and against their formulas."""

import math

import numpy as np
import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.rules.losses import TET, CrossEntropy, Loss, RateMSE, SoftmaxTwice, SpikeCount
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanRate


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw currents and scores of 5 steps, 4 samples, 3 classes, and labels."""
    random = torch.Generator().manual_seed(seed)
    currents, scores = torch.randn(2, 5, 4, 3, generator=random, dtype=torch.float64)
    return currents, scores, torch.tensor([2, 0, 1, 2])


def entropy(scores: np.ndarray, label: int) -> float:
    """Return ``-log softmax(scores)[label]``."""
    return float(np.log(np.exp(scores).sum()) - scores[label])


class TestCrossEntropy:
    def test_by_hand(self):
        # Softmax of (log 3, 0) is (3/4, 1/4); of (0, 0) it is (1/2, 1/2).
        scores = tensor([[[9.0, -9.0], [9.0, -9.0]], [[math.log(3), 0.0], [0.0, 0.0]]])
        value = CrossEntropy().value(torch.zeros_like(scores), scores, torch.tensor([1, 0]))
        assert float(value) == pytest.approx((math.log(4) + math.log(2)) / 2)

    def test_smoothing_by_hand(self):
        # 0.1 smoothing over two classes puts 0.95 on the label and 0.05 on the other.
        scores = tensor([[[math.log(3), 0.0]]])
        value = CrossEntropy(smoothing=0.1).value(scores, scores, torch.tensor([0]))
        assert float(value) == pytest.approx(0.95 * math.log(4 / 3) + 0.05 * math.log(4))

    def test_looks_at_the_final_scores_only(self):
        currents, scores, labels = draw()
        changed = torch.cat([scores[:-1] + 5, scores[-1:]])
        first = CrossEntropy().value(currents, scores, labels)
        assert first == CrossEntropy().value(currents + 1, changed, labels)


class TestSoftmaxTwice:
    def test_by_hand(self):
        # Softmax of (log 3, 0) is (3/4, 1/4), whose softmax gives the label 1 / (1 + e^(1/2)).
        scores = tensor([[[9.0, -9.0]], [[math.log(3), 0.0]]])
        value = SoftmaxTwice().value(scores, scores, torch.tensor([1]))
        assert float(value) == pytest.approx(math.log(1 + math.exp(0.5)))

    def test_cannot_fall_below_its_bound(self):
        certain = tensor([[[1000.0] + [0.0] * 9]])
        value = SoftmaxTwice().value(certain, certain, torch.tensor([0]))
        assert float(value) == pytest.approx(math.log(math.e + 9) - 1)


class TestRateMSE:
    def test_by_hand(self):
        # ((0.5 - 1)^2 + 0.25^2 + 0^2) / 3 and (0 + 0 + 1) / 3
        scores = tensor([[[7.0] * 3] * 2, [[0.5, 0.25, 0.0], [0.0, 0.0, 0.0]]])
        value = RateMSE().value(scores, scores, torch.tensor([0, 2]))
        assert float(value) == pytest.approx((0.3125 / 3 + 1 / 3) / 2)

    def test_is_zero_where_the_label_alone_fires(self):
        scores = tensor([[[0.0, 1.0]]])
        assert float(RateMSE().value(scores, scores, torch.tensor([1]))) == 0


class TestSpikeCount:
    def test_by_hand(self):
        # Of 8 steps 6 and 1 are wanted: (6, 1) costs nothing, (2, 3) costs (4^2 + 2^2) / 64 / 2.
        scores = tensor([[[9.0, 9.0]] * 2, [[6 / 8, 1 / 8], [3 / 8, 2 / 8]]])
        loss = SpikeCount(true_rate=6 / 8, false_rate=1 / 8)
        value = loss.value(scores, scores, torch.tensor([0, 1]))
        assert float(value) == pytest.approx((0 + 20 / 64 / 2) / 2)

    def test_counts_spikes_of_the_readout(self):
        # IF with soft reset and threshold 1 on a constant 0.5 fires at every second step.
        currents = torch.tensor([0.5, 0.25]).expand(8, 1, 2)
        scores = MeanRate(neuron=IF(reset="soft")).scores(currents)
        loss = SpikeCount(true_rate=0.75, false_rate=0.25)
        value = loss.value(currents, scores, torch.tensor([0]))
        assert float(value) == pytest.approx(((4 - 6) ** 2 + (2 - 2) ** 2) / 8**2 / 2)

    def test_raises_a_silent_label_and_lowers_an_overactive_one(self):
        for rate, sign in ((0.0, -1), (1.0, 1)):
            scores = tensor([[[rate, 0.1]]]).requires_grad_()
            SpikeCount().value(scores, scores, torch.tensor([0])).backward()
            assert scores.grad is not None
            assert scores.grad[0, 0].sign().tolist() == [sign, 0]

    def test_at_rates_one_and_zero_it_is_rate_mse_times_half_the_classes(self):
        currents, scores, labels = draw()
        found = SpikeCount(true_rate=1, false_rate=0).value(currents, scores, labels)
        assert float(found) == pytest.approx(1.5 * float(RateMSE().value(currents, scores, labels)))

    def test_refuses_a_false_rate_that_is_not_below_the_true_one(self):
        with pytest.raises(ConfigError, match=r"false_rate below true_rate = 0\.3, got 0\.3"):
            SpikeCount(true_rate=0.3, false_rate=0.3)


class TestTET:
    def test_by_hand(self):
        # Step 1: CE(0, 0) = log 2, MSE to 1 = 1. Step 2: CE = log 4/3, MSE = ((log 3 - 1)^2 + 1)/2.
        currents = tensor([[[0.0, 0.0]], [[math.log(3), 0.0]]])
        value = TET(lam=0.05).value(currents, currents, torch.tensor([0]))
        steps = (math.log(2) + math.log(4 / 3)) / 2
        pull = (1 + ((math.log(3) - 1) ** 2 + 1) / 2) / 2
        assert float(value) == pytest.approx(0.95 * steps + 0.05 * pull)

    @pytest.mark.parametrize(("lam", "phi"), [(0.0, 1.0), (1.0, 1.0), (0.3, 0.5), (0.05, 2.0)])
    def test_formula(self, lam, phi):
        currents, scores, labels = draw()
        o, expected = currents.numpy(), 0.0
        for t in range(5):
            cross = np.mean([entropy(o[t, i], int(labels[i])) for i in range(4)])
            expected += ((1 - lam) * cross + lam * np.mean((o[t] - phi) ** 2)) / 5
        value = TET(lam=lam, phi=phi).value(currents, scores, labels)
        assert float(value) == pytest.approx(expected)

    def test_looks_at_currents_not_scores(self):
        currents, scores, labels = draw()
        assert TET().value(currents, scores, labels) == TET().value(currents, scores + 1, labels)


@pytest.mark.parametrize(
    ("loss", "fields"),
    [
        (CrossEntropy, {"smoothing": 1.0}),
        (CrossEntropy, {"smoothing": -0.1}),
        (SpikeCount, {"true_rate": 1.5}),
        (SpikeCount, {"false_rate": -0.1}),
        (TET, {"lam": 1.1}),
        (TET, {"lam": -0.1}),
        (TET, {"phi": math.inf}),
    ],
)
def test_refuses_values_out_of_range(loss: type[Loss], fields):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        loss(**fields)
