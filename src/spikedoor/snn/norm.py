"""Batch normalisation over all steps and samples together, for maps and for vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikedoor.errors import ConfigError

__all__ = ["BatchNorm", "folded", "inference_form", "statistics_kept"]


class BatchNorm(nn.Module):
    """Batch norm whose statistics run over steps, samples and pixels of each channel.

    A signal that is constant over time is normalised once, on its samples.

    Shapes:
        (frames, C, H, W) or (frames, C), in and out.

    Args:
        channels: Number of channels.
        eps: Added to the variance.
        momentum: Weight of the newest batch in the running statistics.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def check(self, x: Tensor) -> None:
        """Raise a `ConfigError` if x has other channels, or too few values to train on."""
        channels = self.weight.shape[0]
        if x.shape[1] != channels:
            raise ConfigError(f"batch norm of {channels} channels got {x.shape[1]}")
        if self.training and x.numel() <= channels:
            raise ConfigError("batch norm trains on two values a channel or more, got one")

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )

    @torch.no_grad()
    def track(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch of ``count`` values a channel."""
        unbiased = var * (count / max(count - 1, 1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return the ``a, b`` of the inference form ``a * x + b``."""
        return inference_form(self.weight, self.bias, self.running_mean, self.running_var, self.eps)

    def extra_repr(self) -> str:
        return str(self.weight.shape[0])


def inference_form(
    weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the ``a, b`` of a norm's inference form ``a * x + b``, from its values."""
    scale = weight / torch.sqrt(running_var + eps)
    return scale, bias - running_mean * scale


def folded(
    weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer with the norm behind it: ``W' = a W, b' = a b + shift``."""
    made = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    return made, shift if bias is None else bias * scale + shift


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Leave the running statistics of a network's norms as they are, though it may train."""
    kinds = BatchNorm, nn.modules.batchnorm._BatchNorm
    norms = [module for module in network.modules() if isinstance(module, kinds)]
    momenta: list[Any] = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
