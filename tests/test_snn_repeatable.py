"""The compiled kernel gives the same bits each time, on any number of threads."""

import pytest
import torch
from snn_cases import CASES, Case, needs_kernel, run
from torch import Tensor

pytestmark = needs_kernel


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


LARGE = Case((20, 17, 17), CASES["lif-attached"].dynamics, batch=6, norm="train", pool="max")
LAYERS = {
    "large": LARGE,
    "large-constant": Case((16, 16, 16), batch=12, constant=True, norm="train", pool="avg"),
    "vector": Case((300,), batch=8, norm="train"),
    "plif": CASES["plif-soft-norm-max"],
    "plif-vector": CASES["plif-initial-vector"],
    "plain": CASES["if-17x17"],
}


def noise(case: Case) -> Tensor:
    x = torch.randn((case.frames, *case.shape), generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["single", "half"])
@pytest.mark.parametrize("name", LAYERS)
def test_number_of_threads_changes_no_bit(name, dtype, threads):
    x = noise(LAYERS[name]).to(dtype)
    threads(1)
    one = run(LAYERS[name], "compiled", x=x)
    for count in (2, 2, 3):
        threads(count)
        many = run(LAYERS[name], "compiled", x=x)
        assert {key for key in one if not torch.equal(one[key], many[key])} == set()


def test_layout_of_the_input_changes_no_bit():
    x = noise(LARGE)
    usual = run(LARGE, "compiled", x=x)
    rows = x.contiguous()
    turned = x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    sliced = torch.stack([x, -x], -1)[..., 0]
    for other in (rows, turned, sliced):
        assert torch.equal(other, x)
        assert other.stride() != x.stride()
        found = run(LARGE, "compiled", x=other)
        assert {key for key in usual if not torch.equal(usual[key], found[key])} == set()


def test_input_is_left_as_it_was():
    x = noise(LARGE)
    before = x.clone()
    run(LARGE, "compiled", x=x)
    assert torch.equal(x, before)
