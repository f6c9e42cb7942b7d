"""What training minimises."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from spikedoor.component import Component
from spikedoor.registry import Family

__all__ = ["LOSSES", "TET", "CrossEntropy", "Loss", "RateMSE", "SoftmaxTwice"]

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
