"""The matrix form of a convolution on small maps is the library's convolution."""

import pytest
import torch
from torch import nn

from spikedoor.snn.convolution import _SmallMaps, convolve


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("side", [(1, 1), (2, 2), (1, 2), (3, 2)], ids=str)
def test_equals_the_library(side, bias):
    random = torch.Generator().manual_seed(0)
    layer = nn.Conv2d(5, 7, 3, padding=1, bias=bias).double()
    x = torch.rand(3, 5, *side, dtype=torch.float64, generator=random)
    x = x.to(memory_format=torch.channels_last)
    results = []
    for function in (layer, lambda value: convolve(layer, value)):
        given = x.clone().requires_grad_()
        layer.zero_grad()
        out = function(given)
        (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)).sum().backward()
        results.append([out.detach(), given.grad, *(p.grad.clone() for p in layer.parameters())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("layer", "side", "taken"),
    [
        (nn.Conv2d(2, 2, 3, padding=1), 2, True),
        (nn.Conv2d(2, 2, 3, padding=1), 3, False),
        (nn.Conv2d(2, 2, 3, padding=1, stride=2), 2, False),
        (nn.Conv2d(2, 2, 1), 2, False),
        (nn.Conv2d(2, 2, 3, padding=1, groups=2), 2, False),
    ],
    ids=["small", "large", "stride", "1x1", "groups"],
)
def test_is_taken_on_small_maps_alone(layer, side, taken, monkeypatch):
    calls = []
    original = _SmallMaps.apply
    monkeypatch.setattr(_SmallMaps, "apply", lambda *a: calls.append(1) or original(*a))
    x = torch.rand(1, 2, side, side)
    torch.testing.assert_close(convolve(layer, x), layer(x))
    assert bool(calls) is taken
