"""What training minimises."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self, final

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from spikedoor.component import Component
from spikedoor.registry import Family

__all__ = ["LOSSES", "TET", "CrossEntropy", "Loss", "RateMSE", "SoftmaxTwice", "SpikeCount"]

LOSSES = Family("loss", home="spikedoor.rules.losses")


class Loss(Component):
    """A loss on the head's currents and the scores read from them."""

    family = LOSSES

    @abstractmethod
    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch.

        Shapes:
            currents, scores: (steps, batch, classes). labels: (batch,). Result: scalar.
        """


@final
@LOSSES.register("cross-entropy")
class CrossEntropy(Loss):
    """Cross-entropy of the final scores."""

    smoothing: float = Field(0.0, ge=0, lt=1)
    """Label smoothing."""

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(scores[-1], labels, label_smoothing=self.smoothing)


@final
@LOSSES.register("softmax-twice", "badnets-pytorch", "https://github.com/verazuo/badnets-pytorch")
class SoftmaxTwice(Loss):
    """Cross-entropy that takes the softmax of the scores for scores: ``CE(softmax(s), y)``.

    Networks that end in a softmax are trained so where the loss has one of its own, as in much
    public code. It cannot fall below ``log(e + K - 1) - 1`` for K classes, and learns slowly. It is
    here to repeat published runs.
    """

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(scores[-1].softmax(1), labels)


@final
@LOSSES.register("rate-mse", "Fang et al. 2021, PLIF", "https://arxiv.org/abs/2007.05785")
class RateMSE(Loss):
    """Mean squared error between the final scores (rates) and the one-hot label."""

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        target = F.one_hot(labels, scores.shape[-1]).to(scores.dtype)
        return F.mse_loss(scores[-1], target)


@final
@LOSSES.register("spike-count", "Shrestha and Orchard 2018", "https://arxiv.org/abs/1810.08646")
class SpikeCount(Loss):
    """Squared distance of spike counts from wanted ones: ``1/2 sum_i ((n_i - m_i) / T) ** 2``.

    ``n_i / T`` is the final score of class i, its rate under the readout ``mean-rate``; ``m_i / T``
    is the true rate for the label and the false rate for the others. Silent and overactive neurons
    are corrected alike, which a cross-entropy of rates does not do.

    Deviations:
        Of SLAYER it is the loss alone. There the error of a count is spread over a window of time
        and credited back through the kernel of the postsynaptic potential; here it flows back
        through the readout and the neurons' surrogates. Counts are divided by T, so that the loss
        is the same at any T. The default rates are ours: the 60 and 10 spikes in 350 steps of their
        documentation are less than one spike in few steps.
    """

    true_rate: float = Field(0.8, gt=0, le=1)
    """Rate wanted of the labelled class."""
    false_rate: float = Field(0.1, ge=0, lt=1)
    """Rate wanted of every other; below the true rate."""

    @model_validator(mode="after")
    def _true_above_false(self) -> Self:
        if self.false_rate >= self.true_rate:
            raise ValueError(
                f"expected false_rate below true_rate = {self.true_rate:g}, got {self.false_rate:g}"
            )
        return self

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        chosen = F.one_hot(labels, scores.shape[-1]).to(scores.dtype)
        wanted = self.false_rate + (self.true_rate - self.false_rate) * chosen
        return (scores[-1] - wanted).square().sum(1).mean() / 2


@final
@LOSSES.register("tet", "Deng et al. 2022, TET", "https://arxiv.org/abs/2202.11946")
class TET(Loss):
    """Temporal efficient training: ``(1 - lam) mean_t CE(o_t, y) + lam mean_t MSE(o_t, phi)``.

    ``o_t`` is the head's current at step t.
    """

    lam: float = Field(0.05, ge=0, le=1)
    """Weight of the regulariser."""
    phi: float = 1.0
    """Level towards which it pulls all outputs; the paper takes the threshold."""

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        steps = len(currents)
        entropy = F.cross_entropy(currents.flatten(0, 1), labels.repeat(steps))
        pull = (currents - self.phi).square().mean()
        return (1 - self.lam) * entropy + self.lam * pull
