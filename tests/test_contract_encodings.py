"""What every registered encoding keeps (see `spikedoor.testing`), and how often Poisson fires."""

import pytest
import torch

from spikedoor.snn.encoding import ENCODINGS, Direct, Poisson
from spikedoor.testing.encodings import CHECKS


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, 2, 4, 3), generator=generator(7))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name", [name for name in ENCODINGS.names() if "image" in ENCODINGS[name].modalities]
)
def test_encoding(name, check):
    check(ENCODINGS[name]())


def test_direct_comes_once():
    given = images()
    signal = Direct().encode(given, 9, generator())
    assert torch.equal(signal.data, given)
    assert torch.equal(signal.over_time()[8], given)


class TestPoisson:
    def test_sends_spikes(self):
        signal = Poisson().encode(images(), 6, generator())
        assert signal.data.shape == (30, 2, 4, 3)
        assert set(signal.data.unique().tolist()) == {0.0, 1.0}

    @pytest.mark.parametrize("chance", [0.01, 0.25, 0.5, 0.9])
    def test_rate_within_binomial_bounds(self, chance):
        count = 40 * 2500
        spikes = Poisson().encode(torch.full((1, 1, 50, 50), chance), 40, generator(3)).data
        deviation = (chance * (1 - chance) / count) ** 0.5
        assert abs(spikes.mean().item() - chance) < 4 * deviation

    def test_steps_pixels_and_samples_are_independent(self):
        """Of two independent draws at 1/2, a quarter agree on firing."""
        spikes = Poisson().encode(torch.full((2, 1, 64, 64), 0.5), 2, generator(4)).over_time()
        a = spikes[0, 0]
        for b in (spikes[1, 0], spikes[0, 1], a.roll(1, -1), a.roll(1, -2)):
            both = (a * b).mean().item()
            assert abs(both - 0.25) < 4 * (0.25 * 0.75 / a.numel()) ** 0.5

    def test_other_generator_other_spikes(self):
        one, other = (Poisson().encode(images(), 6, generator(seed)).data for seed in (1, 2))
        assert not torch.equal(one, other)
