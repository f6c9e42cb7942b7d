"""A victim written as NIR and read back, by us and by the nir library, is the same network."""

import numpy as np
import pytest
import torch

nir_library = pytest.importorskip("nir", reason="pip install spikedoor[nir]")

from defence_cases import case  # noqa: E402

from spikedoor.errors import ConfigError  # noqa: E402
from spikedoor.rng import torch_generator  # noqa: E402
from spikedoor.rules import Conversion, Training  # noqa: E402
from spikedoor.rules.conversion import Max  # noqa: E402
from spikedoor.rules.optimisers import Adam  # noqa: E402
from spikedoor.snn.encoding import Direct  # noqa: E402
from spikedoor.snn.networks import VGG, BadNet, ResNet, SmallConv  # noqa: E402
from spikedoor.snn.neurons import IF, LIF, PLIF, DelayedLIF, SignedIF  # noqa: E402
from spikedoor.snn.readout import LastMembrane, MeanCurrent, MeanRate  # noqa: E402
from spikedoor.victim import Blueprint, Probe, Stage, nir  # noqa: E402

CLASSES = ("a", "b", "c")


def stage(network, neuron, readout=None, side=16):
    blueprint = Blueprint(network, (1, side, side), CLASSES, neuron)
    made = blueprint.build(3)
    for module in made.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.uniform_(-0.1, 0.1, generator=torch_generator(1, "means"))
            module.weight.data.fill_(2.0)
    for synapse in made.synapses():
        if synapse.norm is None:
            synapse.layer.weight.data.mul_(4)
    return Stage("direct", blueprint, made.eval(), 5, Direct(), readout or MeanCurrent())


def scores(of, images):
    return of.scores(of.prepare(images), torch_generator(0, "noise")).detach().numpy()


@pytest.mark.parametrize(
    ("network", "neuron", "readout", "side"),
    [
        (SmallConv(width=4, pool="avg"), LIF(reset="soft"), None, 16),
        (SmallConv(width=4, pool="avg"), LIF(tau=3.0, decay_input=False, threshold=0.7), None, 16),
        (SmallConv(width=4, pool="avg"), PLIF(v_reset=-0.2, reset="hard"), None, 28),
        (BadNet(width=4), IF(reset="soft"), MeanRate(neuron=IF(threshold=0.3, reset="soft")), 28),
        (VGG(depth=11, width=0.0625, pool="avg"), IF(reset="soft", learn_threshold=True), None, 32),
    ],
)
@pytest.mark.parametrize("dt", [nir.DT, 1.0])
def test_what_is_read_back_is_the_same_step_by_step(network, neuron, readout, side, dt, tmp_path):
    of = stage(network, neuron, readout, side)
    images = np.random.default_rng(0).integers(0, 256, (6, 1, side, side), np.uint8)
    nir.write(of, tmp_path / "model.nir", dt)
    back = nir.read(tmp_path / "model.nir", CLASSES, 5, dt=dt, reset=neuron.reset).final
    said = scores(of, images)
    assert np.ptp(said) > 0
    np.testing.assert_allclose(scores(back, images), said, atol=1e-5)


def test_spikes_of_every_layer_are_the_same(tmp_path):
    of = stage(SmallConv(width=4, pool="avg"), LIF(reset="soft"))
    nir.write(of, tmp_path / "model.nir")
    back = nir.read(tmp_path / "model.nir", CLASSES, 5, reset="soft").final
    images = case("direct", "patch").data.test.subset(np.arange(4))
    pad = type(images)(np.pad(images.images, ((0, 0), (0, 0), (4, 4), (4, 4))), images.labels,
                       images.classes, "padded")  # fmt: skip
    for first, second in zip(Probe(of).stream(pad), Probe(back).stream(pad), strict=True):
        ours, theirs = list(first.traces.values()), list(second.traces.values())
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert (a.spikes is None) == (b.spikes is None)
            if a.spikes is not None:
                assert torch.equal(a.spikes, b.spikes)


def test_a_converted_network_keeps_the_height_of_its_spikes(tmp_path):
    data = case("direct", "patch").data
    training = Training(epochs=3, batch=64, validation=0.0, optimiser=Adam(lr=5e-3))
    rule = Conversion(ann=training, steps=16, converter=Max())
    of = rule.fit(SmallConv(width=8, pool="avg"), data.train, 0).final
    nir.write(of, tmp_path / "model.nir")
    back = nir.read(tmp_path / "model.nir", data.train.classes, 16, reset="soft").final
    few = data.test.subset(np.arange(100))
    said = of.predict(few)[-1]
    assert (said == few.labels).mean() > 0.8
    assert (back.predict(few)[-1] == said).mean() > 0.98


def test_the_library_reads_it(tmp_path):
    of = stage(SmallConv(width=4, pool="avg"), LIF())
    nir.write(of, tmp_path / "model.nir")
    graph = nir_library.read(tmp_path / "model.nir")
    kinds = [type(graph.nodes[name]).__name__ for name in sorted(graph.nodes)]
    block = ["Conv2d", "LIF", "AvgPool2d"]
    assert kinds == [*block, *block, "Flatten", "Affine", "LIF", "Affine", "Input", "Output"]
    (lif,) = (node for name, node in graph.nodes.items() if name == "002-neurons")
    assert np.allclose(lif.tau, 2 * nir.DT)
    assert lif.v_threshold.shape == (4, 16, 16)


@pytest.mark.parametrize(
    ("network", "neuron", "readout", "told"),
    [
        (SmallConv(width=4, pool="max"), LIF(), None, "'max' cannot be written"),
        (ResNet(depth=20, width=0.5), LIF(), None, r"\(Residual\) cannot be written"),
        (SmallConv(width=4, pool="avg"), SignedIF(), None, "signed spikes"),
        (SmallConv(width=4, pool="avg"), DelayedLIF(), None, "train with reset_mechanism='zero'"),
        (SmallConv(width=4, pool="avg"), LIF(), LastMembrane(), "'last-membrane' cannot"),
        (SmallConv(width=4, pool="avg"), None, None, "is an ANN"),
    ],
)
def test_what_cannot_be_written_is_named(network, neuron, readout, told, tmp_path):
    with pytest.raises(ConfigError, match=told):
        nir.write(stage(network, neuron, readout), tmp_path / "model.nir")
    assert not list(tmp_path.iterdir())
