"""The convolution of spikes, against torch's in double precision."""

import pytest
import torch
from snn_cases import needs_kernel
from torch import nn

from spikedoor.snn.convolution import convolve
from spikedoor.snn.kernels import sparse

pytestmark = needs_kernel

LAYERS = {
    "3x3": (nn.Conv2d(16, 64, 3, padding=1), (7, 6)),
    "odd channels": (nn.Conv2d(37, 70, 3, padding=1), (5, 5)),
    "many outputs": (nn.Conv2d(8, 300, 3, padding=1), (4, 4)),
    "no padding, stride 2": (nn.Conv2d(32, 33, 3, stride=2), (9, 8)),
    "1x1, stride 2": (nn.Conv2d(64, 64, 1, stride=2), (8, 8)),
    "5x5": (nn.Conv2d(40, 40, 5, padding=2), (6, 6)),
    "without bias": (nn.Conv2d(32, 32, 3, padding=1, bias=False), (3, 3)),
    "one pixel": (nn.Conv2d(128, 16, 3, padding=1), (1, 1)),
}


def spikes(frames: int, channels: int, size: tuple[int, int], share: float = 0.1) -> torch.Tensor:
    """Draw spikes and pooled spikes, of both signs."""
    generator = torch.Generator().manual_seed(frames)
    x = torch.rand(frames, channels, *size, generator=generator)
    levels = torch.randint(1, 5, x.shape, generator=generator) / 4
    sign = torch.where(torch.rand(x.shape, generator=generator) < 0.1, -1.0, 1.0)
    return torch.where(x < share, levels * sign, 0.0)


@pytest.mark.parametrize("frames", [1, 9, 70])
@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_is_the_convolution(name, frames):
    layer, size = LAYERS[name]
    x = spikes(frames, layer.in_channels, size)
    before = x.clone()
    assert sparse.supports(layer, x)
    found = sparse.convolve(layer, x)
    expected = nn.functional.conv2d(
        x.double(),
        layer.weight.double(),
        None if layer.bias is None else layer.bias.double(),
        layer.stride,
        layer.padding,
    )
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(x, before)
    assert torch.equal(convolve(layer, x), found)


@torch.no_grad()
def test_frames_do_not_meet_and_threads_change_nothing():
    layer, size = LAYERS["3x3"]
    x = spikes(300, 16, size)
    whole = sparse.convolve(layer, x)
    assert torch.equal(sparse.convolve(layer, x[130:]), whole[130:])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before % 2 + 1)
        assert torch.equal(sparse.convolve(layer, x), whole)
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def test_weights_are_packed_once_for_a_block_and_anew_after_it(monkeypatch):
    layer, size = LAYERS["3x3"]
    x, calls = spikes(4, 16, size), []
    packed = sparse._packed
    monkeypatch.setattr(sparse, "_packed", lambda *a: calls.append(a) or packed(*a))
    with sparse.packing_once():
        assert torch.equal(sparse.convolve(layer, x), sparse.convolve(layer, x))
    assert len(calls) == 1
    before = sparse.convolve(layer, x)
    layer.bias += 1
    assert len(calls) == 2
    torch.testing.assert_close(sparse.convolve(layer, x), before + 1)
    layer.bias -= 1


@torch.no_grad()
def test_silence_gives_the_bias():
    layer, size = LAYERS["odd channels"]
    found = sparse.convolve(layer, torch.zeros(2, 37, *size))
    assert torch.equal(found, layer.bias.view(1, -1, 1, 1).expand_as(found))


@torch.no_grad()
def test_leaves_dense_input_to_the_library():
    layer, size = LAYERS["3x3"]
    x = spikes(4, 16, size, share=0.6)
    assert sparse.convolve(layer, x) is None
    assert torch.equal(convolve(layer, x), layer(x))


@pytest.mark.parametrize(
    ("layer", "dtype"),
    [
        (nn.Conv2d(64, 64, 3, padding=1, groups=2), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, dilation=2), torch.float32),
        (nn.Conv2d(64, 64, (3, 1)), torch.float32),
        (nn.Conv2d(64, 64, 3, padding="same"), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"), torch.float32),
        (nn.Conv2d(8, 8, 3, padding=1), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1).double(), torch.float64),
    ],
)
@torch.no_grad()
def test_leaves_other_layers_to_the_library(layer, dtype):
    x = spikes(2, layer.in_channels, (6, 6)).to(dtype)
    assert not sparse.supports(layer, x)
    assert torch.equal(convolve(layer, x), layer(x))


def test_leaves_training_to_the_library():
    layer, size = LAYERS["3x3"]
    x = spikes(2, 16, size).requires_grad_()
    convolve(layer, x).sum().backward()
    assert x.grad is not None
