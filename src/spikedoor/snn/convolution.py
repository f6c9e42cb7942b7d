"""Convolutions, by the road that is fastest on a CPU.

Spikes are mostly zeros, which need not be multiplied; and on very small maps one matrix product is
faster than the library's convolution.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikedoor.snn.kernels import sparse

__all__ = ["convolve"]

_LARGEST_SIDE = 2


def convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Return ``layer(x)``.

    Without gradients, spikes go through `sparse`; `benchmarks/simulation.py` tells what is gained.

    On maps of at most 2 px the library's convolution ran at 75 to 100 GFLOP/s on two cores where
    a matrix product ran at 250, which therefore takes its place there.

    Shapes:
        x: (frames, C, H, W). Result: as `layer` gives it, channels last in memory.
    """
    if sparse.supports(layer, x) and (found := sparse.convolve(layer, x)) is not None:
        return found
    small = (
        x.device.type == "cpu"
        and max(x.shape[2:]) <= _LARGEST_SIDE
        and layer.kernel_size == (3, 3)
        and layer.stride == (1, 1)
        and layer.padding == (1, 1)
        and layer.groups == 1
        and x.dtype == layer.weight.dtype
        and not torch.is_autocast_enabled("cpu")
    )
    if not small:
        return layer(x)
    out = _SmallMaps.apply(x, layer.weight)
    return out if layer.bias is None else out + layer.bias.view(-1, 1, 1)


def _columns(x: Tensor) -> Tensor:
    """Return the 3x3 neighbourhood of each pixel, (frames * H * W, 9 * C)."""
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    windows = padded.unfold(1, 3, 1).unfold(2, 3, 1)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, 9 * x.shape[1])


def _matrix(weight: Tensor) -> Tensor:
    """Return the weights as (outputs, 9 * C), in the order of the columns."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


class _SmallMaps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        frames, _, height, width = x.shape
        out = _columns(x) @ _matrix(weight).T
        return out.view(frames, height, width, -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        frames, channels, height, width = x.shape
        flat = grads[0].permute(0, 2, 3, 1).reshape(-1, len(weight))
        grad_x = grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = (flat.T @ _columns(x)).view(-1, 3, 3, channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[0]:
            taps = (flat @ _matrix(weight)).view(frames, height, width, 3, 3, channels)
            padded = x.new_zeros(frames, height + 2, width + 2, channels)
            for i in range(3):
                for j in range(3):
                    padded[:, i : i + height, j : j + width] += taps[:, :, :, i, j]
            grad_x = padded[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
        return grad_x, grad_weight
