"""What every registered converter keeps, on every kind of network."""

import copy
from typing import Any

import pytest
import torch
from rules_cases import build, equal_states, one_thread  # noqa: F401 (one_thread is a fixture)

from spikedoor.errors import ConfigError
from spikedoor.rules.conversion import CONVERTERS
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import NETWORKS, VGG, Architecture, Network, ResNet, SmallConv
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.signal import Signal

SMALL: dict[str, Architecture] = {
    "small-conv": SmallConv(width=4, pool="avg"),
    "vgg": VGG(depth=5, width=0.125, pool="avg"),
    "resnet": ResNet(depth=20, width=0.5),
}

every_converter = pytest.mark.parametrize("name", CONVERTERS.names())
every_network = pytest.mark.parametrize("network", NETWORKS.names())


def images(seed: int = 1, count: int = 10) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def convert(name: str, ann: Network) -> Network:
    return CONVERTERS[name]().convert(ann, [images(1), images(2)])


def modules(network: Network, kind: type) -> dict[str, Any]:
    return {name: module for name, module in network.named_modules() if isinstance(module, kind)}


@torch.no_grad()
def output(network: Network, x: torch.Tensor, steps: int) -> torch.Tensor:
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def test_every_network_is_tried():
    assert set(SMALL) == set(NETWORKS.names())


@every_converter
@every_network
class TestEveryConverterOnEveryNetwork:
    def test_puts_spiking_neurons_where_rectifiers_were(self, name, network):
        ann = build(SMALL[network])
        converted = convert(name, ann)
        assert modules(converted, Rectifier) == {}
        assert modules(converted, Spiking).keys() == modules(ann, Rectifier).keys()
        assert all(synapse.norm is None for synapse in converted.synapses())
        assert not converted.training

    def test_fires_by_soft_reset_at_positive_thresholds(self, name, network):
        for neuron in modules(convert(name, build(SMALL[network])), Spiking).values():
            dynamics = neuron.dynamics()
            assert dynamics.soft
            assert (dynamics.keep, dynamics.gain) == (1, 1)
            assert 0 < dynamics.threshold < float("inf")

    def test_leaves_the_ann_as_it_is(self, name, network):
        ann = build(SMALL[network])
        before, kept = copy.deepcopy(ann), images(3)
        expected = output(ann, kept, 1)
        converted = convert(name, ann)
        assert equal_states(before, ann)
        assert torch.equal(output(ann, kept, 1), expected)
        assert all(layer.observer is None for layer in modules(ann, Rectifier).values())
        theirs = {value.data_ptr() for value in ann.state_dict().values()}
        assert theirs.isdisjoint(value.data_ptr() for value in converted.state_dict().values())

    def test_is_reproducible_without_any_generator(self, name, network):
        ann, state = build(SMALL[network]), torch.get_rng_state()
        assert equal_states(convert(name, ann), convert(name, ann))
        assert torch.equal(torch.get_rng_state(), state)

    def test_comes_nearer_to_the_clipped_ann_with_more_steps(self, name, network):
        """The ANN that a converted network tends to: each ReLU clipped at its threshold."""
        ann = build(SMALL[network])
        converted, x = convert(name, ann), images(1)
        limits = [float(layer.threshold) for layer in modules(converted, Spiking).values()]
        clipped = CONVERTERS[name]().convert(ann, [x])
        for (path, _), limit in zip(modules(clipped, Spiking).items(), limits, strict=True):
            parent, _, child = path.rpartition(".")
            setattr(clipped.get_submodule(parent), child, Clipped(limit))
        expected = output(clipped, x, 1)
        near, far = (
            float((output(converted, x, steps) - expected).abs().max()) for steps in (400, 50)
        )
        assert near < far / 3
        assert near < 0.05 * float(expected.abs().max())


class Clipped(Rectifier):
    """A ReLU with an upper limit."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, current, norm=None, pool=None):
        assert norm is None
        clipped = current.map(lambda x: x.clamp(0, self.limit))
        return (
            clipped if pool is None else clipped.map(lambda x: torch.nn.functional.avg_pool2d(x, 2))
        )


@every_converter
class TestEveryConverter:
    def test_needs_rectifiers(self, name):
        snn = SMALL["small-conv"].build((1, 8, 8), 3, IF().build, seed=0)
        with pytest.raises(ConfigError, match="conversion needs an ANN with ReLU"):
            CONVERTERS[name]().convert(snn, [images()])

    def test_needs_calibration_images(self, name):
        with pytest.raises(ConfigError, match="conversion needs calibration images"):
            CONVERTERS[name]().convert(build(SMALL["small-conv"]), [])

    def test_calibrates_in_evaluation_mode_whatever_mode_the_ann_is_in(self, name):
        ann = build(SMALL["small-conv"])
        expected = convert(name, ann)
        assert equal_states(convert(name, ann.train()), expected)
        assert ann.training

    def test_takes_any_iterable_once(self, name):
        ann = build(SMALL["small-conv"])
        once = CONVERTERS[name]().convert(ann, iter([images(1), images(2)]))
        assert equal_states(once, convert(name, ann))
