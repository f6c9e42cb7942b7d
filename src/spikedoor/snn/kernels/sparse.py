"""Convolution of spikes that multiplies only what is not zero; CPU, single precision, no gradients.

See convolution.c.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from spikedoor.snn.kernels import compiled

__all__ = ["Packed", "convolve", "packing_once", "supports"]

_DENSEST = 0.25
"""Share of entries that are not zero up to which it is faster than the library's convolution."""
_SMALLEST = 1024
"""Input times output channels from which it is faster."""
_BLOCK = 64  # output channels summed at once

Packed = tuple[int, Tensor, Tensor]
"""Weights as the kernel reads them; see `_packed`."""
_packs: ContextVar[dict[nn.Conv2d, Packed] | None] = ContextVar("packed weights", default=None)


@contextmanager
def packing_once(packs: dict[nn.Conv2d, Packed] | None = None) -> Iterator[None]:
    """Pack each layer's weights once for the block, in which they must not change.

    Args:
        packs: Where they are kept, for one block to go on with those of another; a fresh place by
            default.
    """
    token = _packs.set({} if packs is None else packs)
    try:
        yield
    finally:
        _packs.reset(token)


class _Convolution(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64) for name in ("frames", "H", "W", "C", "outputs", "height", "width")
    ] + [(name, ctypes.c_int32) for name in ("kernel", "stride", "padding", "threads")]


def supports(layer: nn.Conv2d, x: Tensor) -> bool:
    """Whether this layer and input can come here; it still may not pay."""
    return (
        compiled.available()
        and not torch.is_grad_enabled()
        and layer.in_channels * layer.out_channels >= _SMALLEST
        and x.device.type == "cpu"
        and x.dtype == layer.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and layer.dilation == (1, 1)
        and all(a == b for a, b in (layer.kernel_size, layer.stride, layer.padding))
    )


def convolve(layer: nn.Conv2d, x: Tensor) -> Tensor | None:
    """Return ``layer(x)``, or None where more than a quarter of x is not zero.

    Shapes:
        x: (frames, C, H, W). Result: channels last in memory.

    Raises:
        MemoryError: If there is no memory for the lists of what is not zero.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    library, threads = compiled.loaded(), torch.get_num_threads()
    library.spd_count.restype = ctypes.c_int64
    count = library.spd_count(_pointer(x), ctypes.c_int64(x.numel()), ctypes.c_int32(threads))
    if count > _DENSEST * x.numel():
        return None
    frames, channels, height, width = x.shape
    outputs, (kernel, _), (stride, _) = layer.out_channels, layer.kernel_size, layer.stride
    padding = int(layer.padding[0])
    size = [(side + 2 * padding - kernel) // stride + 1 for side in (height, width)]
    problem = _Convolution(
        frames, height, width, channels, outputs, *size, kernel, stride, padding, threads
    )
    packs = _packs.get()
    found = packs.get(layer) if packs is not None else None
    if found is None:
        found = _packed(layer, library.spd_lanes())
        if packs is not None:
            packs[layer] = found
    vectors, weights, bias = found
    out = torch.empty(frames, outputs, *size, memory_format=torch.channels_last)
    failed = library.spd_convolve(
        ctypes.byref(problem),
        _pointer(x),
        _pointer(weights),
        _pointer(bias),
        ctypes.c_int32(vectors),
        _pointer(out),
    )
    if failed:
        raise MemoryError("no memory for the convolution of spikes")
    return out


def _packed(layer: nn.Conv2d, lanes: int) -> Packed:
    """Return vectors a block, weights (blocks, kernel, kernel, C, row), and bias (blocks, row)."""
    outputs, channels, kernel, _ = layer.weight.shape
    vectors = 1
    while vectors < 8 and vectors * lanes < min(outputs, _BLOCK):
        vectors *= 2
    row = vectors * lanes
    blocks = -(-outputs // row)
    weights = torch.zeros(blocks * row, channels, kernel, kernel)
    weights[:outputs] = layer.weight
    bias = torch.zeros(blocks * row)
    if layer.bias is not None:
        bias[:outputs] = layer.bias
    in_blocks = weights.view(blocks, row, channels, kernel, kernel)
    return vectors, in_blocks.permute(0, 3, 4, 2, 1).contiguous(), bias


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
