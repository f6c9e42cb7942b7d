"""What every registered converter keeps, on every kind of network."""

import copy
import json
from typing import Any

import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    CLASSES,
    build,
    equal_states,
    one_thread,
    stripes,
)
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.rules.conversion import CONVERTERS, Converter, report
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import (
    NETWORKS,
    VGG,
    Architecture,
    BadNet,
    Network,
    PreActResNet,
    ResNet,
    SmallConv,
)
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.rectifiers import RECTIFIERS
from spikedoor.snn.signal import Signal
from spikedoor.victim import Blueprint, Stage, Victim

SMALL: dict[str, Architecture] = {
    "small-conv": SmallConv(width=4),
    "vgg": VGG(depth=5, width=0.125),
    "resnet": ResNet(depth=20, width=0.5),
    "badnet": BadNet(width=4, centre=True),
}
UNCONVERTIBLE: dict[str, tuple[Architecture, str]] = {
    "preact-resnet": (PreActResNet(width=0.125), r"'blocks\.0' \(Bare\)"),
}

every_converter = pytest.mark.parametrize("name", CONVERTERS.names())
every_network = pytest.mark.parametrize("network", SMALL)


def images(seed: int = 1, count: int = 6) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def ann_for(name: str, architecture: Architecture) -> Network:
    """Make an ANN with the activation that the converter needs, in fine levels if it has some."""
    activation = RECTIFIERS[CONVERTERS[name].trained_with or "relu"]
    fine = {"levels": 64} if "levels" in activation.model_fields else {}
    return build(architecture, activation=activation(**fine).build)


def make(name: str, **fields: Any) -> Converter:
    """Make a converter that simulates few steps, with those of the fields that it has."""
    known = CONVERTERS[name].model_fields
    fields = {"steps": 8, **fields}
    return CONVERTERS[name](**{key: value for key, value in fields.items() if key in known})


def convert(name: str, ann: Network, steps: int = 8) -> Network:
    return make(name).convert(ann, [images(1), images(2)], steps)


def modules(network: Network, kind: type) -> dict[str, Any]:
    return {name: module for name, module in network.named_modules() if isinstance(module, kind)}


@torch.no_grad()
def output(network: Network, x: torch.Tensor, steps: int) -> torch.Tensor:
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def test_every_network_is_tried():
    assert {*SMALL, *UNCONVERTIBLE} == set(NETWORKS.names())


@pytest.mark.parametrize("network", UNCONVERTIBLE)
@every_converter
def test_what_cannot_be_converted_is_refused_by_name(name, network):
    architecture, named = UNCONVERTIBLE[network]
    with pytest.raises(ConfigError, match=f"does not know the module {named}"):
        make(name).check(ann_for(name, architecture))


@every_converter
@every_network
class TestEveryConverterOnEveryNetwork:
    def test_puts_spiking_neurons_where_rectifiers_were(self, name, network):
        ann = ann_for(name, SMALL[network])
        converted = convert(name, ann)
        assert modules(converted, Rectifier) == {}
        assert modules(converted, Spiking).keys() == modules(ann, Rectifier).keys()
        assert all(synapse.norm is None for synapse in converted.synapses())
        assert not any(module.training for module in converted.modules())

    def test_neurons_are_those_it_names_at_positive_thresholds(self, name, network):
        ann = ann_for(name, SMALL[network])
        for neuron in modules(convert(name, ann), Spiking).values():
            dynamics = neuron.dynamics()
            assert dynamics.soft == (CONVERTERS[name]().neuron.reset == "soft")
            assert (dynamics.keep, dynamics.gain) == (1, 1)
            assert 0 < dynamics.threshold == dynamics.amplitude < float("inf")

    def test_leaves_the_ann_as_it_is(self, name, network):
        ann = ann_for(name, SMALL[network])
        before, kept = copy.deepcopy(ann), images(3)
        expected = output(ann, kept, 1)
        converted = convert(name, ann)
        assert equal_states(before, ann)
        assert torch.equal(output(ann, kept, 1), expected)
        both = (*modules(ann, Rectifier).values(), *modules(converted, Spiking).values())
        assert all(layer.observer is None for layer in both)
        theirs = {value.data_ptr() for value in ann.state_dict().values()}
        assert theirs.isdisjoint(value.data_ptr() for value in converted.state_dict().values())

    def test_is_reproducible_without_any_generator(self, name, network):
        ann, state = ann_for(name, SMALL[network]), torch.get_rng_state()
        assert equal_states(convert(name, ann), convert(name, ann))
        assert torch.equal(torch.get_rng_state(), state)

    def test_comes_nearer_to_the_clipped_ann_with_more_steps(self, name, network):
        """What a converted network tends to: each ReLU clipped at its threshold."""
        ann, x = ann_for(name, SMALL[network]), images(1)
        errors = []
        for steps in (20, 200):
            converted = make(name, reset="soft").convert(ann, [x], steps)
            expected = output(clipped(converted, steps), x, 1)
            errors.append(float((output(converted, x, steps) - expected).abs().max()))
        assert errors[1] < errors[0] / 3

    def test_is_told_layer_by_layer(self, name, network):
        ann, x = ann_for(name, SMALL[network]), images(1)
        converted = convert(name, ann)
        found = json.loads(json.dumps(report(ann, converted, x, 8), allow_nan=False))
        assert (found["steps"], found["images"], found["max_pooled"]) == (8, 6, [])
        neurons = modules(converted, Spiking)
        assert [layer["layer"] for layer in found["layers"]] == list(neurons)
        for layer in found["layers"]:
            assert layer["threshold"] == float(neurons[layer["layer"]].threshold)
            assert 0 <= layer["rate"] <= 1
            assert layer["snn_mean"] == pytest.approx(layer["rate"] * layer["threshold"], rel=1e-5)


def clipped(converted: Network, steps: int) -> Network:
    """Return the ANN that a converted network tends to, whose neurons start somewhere."""
    network = copy.deepcopy(converted)
    for path, neuron in modules(network, Spiking).items():
        start = neuron.initial / steps
        network.set_submodule(path, Clipped(float(neuron.threshold), start))
    return network


class Clipped(Rectifier):
    """A ReLU of a shifted current, with an upper limit."""

    def __init__(self, top: float, start: torch.Tensor) -> None:
        super().__init__()
        self.top, self.start = top, start

    def rectify(self, x):
        return (x + self.start).clamp(0, self.top)


@every_converter
class TestEveryConverter:
    def test_depends_on_the_steps_as_it_says(self, name):
        ann = ann_for(name, SMALL["small-conv"])
        alike = equal_states(convert(name, ann, 3), convert(name, ann, 11))
        assert alike == (not CONVERTERS[name].uses_steps)

    def test_more_steps_leave_less_error_in_every_layer(self, name):
        ann, x = ann_for(name, SMALL["small-conv"]), images(1)
        errors = []
        for steps in (4, 64):
            converted = make(name, reset="soft").convert(ann, [x], steps)
            layers = report(ann, converted, x, steps)["layers"]
            errors.append([layer["error"] for layer in layers])
        assert all(late <= early for early, late in zip(*errors, strict=True))
        assert errors[1] != errors[0]

    def test_its_network_survives_the_file(self, name, tmp_path):
        ann = ann_for(name, SMALL["small-conv"])
        neuron = CONVERTERS[name]().neuron
        blueprint = Blueprint(SMALL["small-conv"], (1, 8, 8), CLASSES, neuron, folded=True)
        network = convert(name, ann)
        stage = Stage("converted", blueprint, network, 8)
        loaded = Victim.load(Victim((stage,)).save(tmp_path / "victim")).final
        assert equal_states(loaded.network, network)
        assert (loaded.predict(stripes(30)) == stage.predict(stripes(30))).all()

    def test_needs_rectifiers(self, name):
        snn = SMALL["small-conv"].build((1, 8, 8), 3, IF().build, seed=0)
        with pytest.raises(ConfigError, match="conversion needs an ANN with ReLU"):
            convert(name, snn)

    def test_needs_calibration_images(self, name):
        ann = ann_for(name, SMALL["small-conv"])
        with pytest.raises(ConfigError, match="conversion needs calibration images"):
            make(name).convert(ann, [], 8)

    def test_refuses_one_activation_in_two_places(self, name):
        ann = ann_for(name, SMALL["small-conv"])
        ann.blocks[1].activation = ann.blocks[0].activation
        with pytest.raises(ConfigError, match=r"blocks\.0\.activation and blocks\.1\.activation"):
            convert(name, ann)

    def test_refuses_one_weight_in_two_places(self, name):
        ann = ann_for(name, ResNet(depth=20, width=0.5))
        ann.blocks[2].second.layer.weight = ann.blocks[1].second.layer.weight
        with pytest.raises(ConfigError, match=r"blocks\.1\.second\.layer\.weight and blocks\.2"):
            convert(name, ann)

    @pytest.mark.parametrize("module", [nn.ReLU(), nn.Dropout(), nn.Sequential()], ids=str)
    def test_refuses_modules_it_does_not_know(self, name, module):
        ann = ann_for(name, SMALL["small-conv"])
        ann.blocks.insert(1, module)
        with pytest.raises(ConfigError, match=rf"'blocks\.1' \({type(module).__name__}\)"):
            convert(name, ann)

    def test_refuses_max_pooling_unless_told_to_pool_spikes(self, name):
        ann = ann_for(name, SmallConv(width=4, pool="max"))
        with pytest.raises(ConfigError, match=r"max pooling in blocks\.0, blocks\.1: .*\"avg\""):
            convert(name, ann)
        told = make(name, max_pool="spikes").convert(ann, [images()], 8)
        assert report(ann, told, images(), 8)["max_pooled"] == ["blocks.0", "blocks.1"]

    def test_calibrates_in_evaluation_mode_whatever_mode_the_ann_is_in(self, name):
        ann = ann_for(name, SMALL["small-conv"])
        expected = convert(name, ann)
        assert equal_states(convert(name, ann.train()), expected)
        assert ann.training

    def test_takes_any_iterable_once(self, name):
        ann = ann_for(name, SMALL["small-conv"])
        once = make(name).convert(ann, iter([images(1), images(2)]), 8)
        assert equal_states(once, convert(name, ann))
