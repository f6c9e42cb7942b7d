"""Batch norm: torch's own on maps and vectors, and its inference form."""

import pytest
import torch
from torch import nn

from spikedoor.snn.norm import BatchNorm

SHAPES = {"maps": (6, 5, 4, 3), "vectors": (6, 5)}


def pair(shape: tuple[int, ...]) -> tuple[BatchNorm, nn.Module]:
    theirs = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(shape[1])
    with torch.no_grad():
        theirs.weight.copy_(torch.linspace(0.5, 1.5, shape[1]))
        theirs.bias.copy_(torch.linspace(-1, 1, shape[1]))
    ours = BatchNorm(shape[1])
    ours.load_state_dict(theirs.state_dict(), strict=False)
    return ours, theirs


def drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 1


@pytest.mark.parametrize("name", SHAPES)
def test_is_torch_batch_norm_in_training_and_after(name):
    ours, theirs = pair(SHAPES[name])
    for seed in range(3):
        x = drawn(SHAPES[name], seed)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
    x = drawn(SHAPES[name], 3)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("name", SHAPES)
def test_inference_form(name):
    ours, _ = pair(SHAPES[name])
    ours(drawn(SHAPES[name], 0))
    scale, shift = ours.eval().scale_and_shift()
    x = drawn(SHAPES[name], 1)
    view = (1, -1, *[1] * (x.dim() - 2))
    torch.testing.assert_close(x * scale.view(view) + shift.view(view), ours(x))


@pytest.mark.parametrize("name", SHAPES)
def test_tracking_moments_is_what_a_training_pass_does(name):
    one, other = pair(SHAPES[name])[0], pair(SHAPES[name])[0]
    x = drawn(SHAPES[name], 0)
    one(x)
    dims = [d for d in range(x.dim()) if d != 1]
    other.track(x.mean(dims), x.var(dims, correction=0), x.numel() // x.shape[1])
    torch.testing.assert_close(one.running_mean, other.running_mean)
    torch.testing.assert_close(one.running_var, other.running_var)
