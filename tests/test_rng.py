"""One seed a run, one stream a purpose."""

import hashlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.rng import _split_mix, generator, torch_generator, uniform_at


def draws(seed: int, purpose: str) -> list[int]:
    return generator(seed, purpose).integers(0, 2**63, 8).tolist()


def torch_draws(seed: int, purpose: str) -> list[int]:
    return torch.randint(2**62, (8,), generator=torch_generator(seed, purpose)).tolist()


both = pytest.mark.parametrize("draw", [draws, torch_draws])


@both
def test_equal_for_equal_arguments(draw):
    assert draw(7, "plan") == draw(7, "plan")


@both
def test_differs_by_seed_and_by_purpose(draw):
    streams = [
        draw(seed, purpose)
        for seed in (0, 1, 2, 2**32, 2**32 + 1, 2**64)
        for purpose in ("", "plan", "plan ", "Plan", "init", "größe")
    ]
    assert len({tuple(stream) for stream in streams}) == 36


def test_is_seeded_by_seed_and_hash_of_the_purpose():
    """Records name seeds only, so how they become streams must not change."""
    digest = hashlib.sha256(b"plan").digest()
    words = np.frombuffer(digest[:16], dtype="<u4").tolist()
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence([5, *words])))
    assert draws(5, "plan") == expected.integers(0, 2**63, 8).tolist()


def test_streams_are_even_and_unrelated():
    a, b = (generator(3, purpose).random(20_000) for purpose in ("one", "two"))
    # standard deviation of the mean: 0.002; of the correlation: 0.007
    assert abs(a.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.035


def test_global_generators_neither_matter_nor_move():
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    random.seed(1)
    first = draws(4, "plan"), torch_draws(4, "plan")
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    random.seed(2)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state(), random.getstate()  # noqa: NPY002
    assert (draws(4, "plan"), torch_draws(4, "plan")) == first
    assert np.random.get_state()[1].tolist() == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]


def test_equal_in_a_new_process():
    code = "from spikedoor.rng import generator as g; print(*g(4, 'plan').integers(0, 2**63, 8))"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "77"},
    ).stdout
    assert [int(value) for value in printed.split()] == draws(4, "plan")


@both
@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_refuses_a_negative_seed(draw, seed):
    with pytest.raises(ConfigError, match=f"seed of 0 or more, got {seed}"):
        draw(seed, "plan")


def test_takes_numpy_integers():
    assert draws(np.int64(6), "plan") == draws(6, "plan")


def test_makes_a_generator_on_the_device_asked_for():
    assert torch_generator(0, "x", "cpu").device == torch.device("cpu")
    assert torch_generator(0, "x", torch.device("cpu")).device == torch.device("cpu")


def test_split_mix_gives_the_published_numbers():
    # The reference program's first outputs for the state 1234567.
    found = _split_mix(np.array([1234567], dtype=np.uint64), np.arange(5, dtype=np.uint64))
    assert found.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_numbers_of_an_index_do_not_depend_on_the_others():
    whole = uniform_at(3, "pieces", np.arange(1000), 16)
    some = np.array([999, 5, 5, 0])
    assert (uniform_at(3, "pieces", some, 16) == whole[some]).all()
    assert (uniform_at(3, "pieces", some, 4) == whole[some, :4]).all()
    assert uniform_at(3, "pieces", some[:0], 16).shape == (0, 16)
    for seed, purpose in ((4, "pieces"), (3, "piece")):
        assert (uniform_at(seed, purpose, some, 16) != whole[some]).all()


def test_numbers_of_indices_are_even_and_unrelated():
    drawn = uniform_at(0, "pieces", np.arange(20_000), 3)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    # standard deviation of a mean: 0.002; of a correlation: 0.007; of a tenth's count: 42
    assert abs(drawn.mean(axis=0) - 0.5).max() < 0.01
    neighbours = np.corrcoef(np.hstack([drawn[:-1], drawn[1:]]).T) - np.eye(6)
    assert abs(neighbours).max() < 0.035
    tenths = np.apply_along_axis(np.bincount, 0, (10 * drawn).astype(int))
    assert abs(tenths - 2000).max() < 210
