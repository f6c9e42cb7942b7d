"""What every encoding keeps, and how often Poisson fires."""

import pytest
import torch

from spikedoor.snn.encoding import ENCODINGS, Direct, Encoding, Poisson

OF_IMAGES = [name for name in ENCODINGS.names() if "image" in ENCODINGS[name].modalities]
names = pytest.mark.parametrize("name", OF_IMAGES)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, 2, 4, 3), generator=generator(7))


@names
@pytest.mark.parametrize("steps", [1, 6])
def test_signal_over_time_in_the_range_of_images(name, steps):
    given = images()
    signal = ENCODINGS[name]().encode(given, steps, generator())
    assert (signal.steps, signal.batch) == (steps, 5)
    frames = signal.over_time()
    assert frames.shape == (steps, 5, 2, 4, 3)
    assert frames.dtype == given.dtype
    assert frames.min() >= 0
    assert frames.max() <= 1
    assert torch.equal(given, images())


@names
def test_mean_over_time_is_the_image(name):
    steps = 4000
    frames = ENCODINGS[name]().encode(images(), steps, generator()).over_time()
    # Six standard deviations of a mean of Bernoulli draws, at their widest.
    assert (frames.mean(0) - images()).abs().max() < 6 * 0.5 / steps**0.5


@names
def test_drawn_from_the_generator_alone(name):
    encoding, state = ENCODINGS[name](), torch.get_rng_state()
    one = encoding.encode(images(), 6, generator(1)).over_time()
    torch.rand(3)
    torch.set_rng_state(state)
    again = encoding.encode(images(), 6, generator(1)).over_time()
    assert torch.equal(one, again)
    assert torch.equal(torch.get_rng_state(), state)


@names
def test_black_is_silent_and_white_is_full(name):
    encoding = ENCODINGS[name]()
    assert encoding.encode(torch.zeros(3, 1, 8, 8), 50, generator()).data.max() == 0
    assert encoding.encode(torch.ones(3, 1, 8, 8), 50, generator()).data.min() == 1


@pytest.mark.parametrize("name", ENCODINGS.names())
def test_configuration_round_trip(name):
    encoding = ENCODINGS[name]()
    assert Encoding.from_dict(encoding.to_dict()) == encoding
    assert Encoding.from_dict(name) == encoding
    assert encoding.summary().endswith(".")


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
