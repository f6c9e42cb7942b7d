"""What a probe sees, against the layers' own output, the neuron's recursion, and by hand."""

import gc

import numpy as np
import pytest
import torch
from event_cases import bands
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    identity_network,
    one_thread,
    shuffle_norms,
    stripes,
)

from spikedoor.data import ImageSet
from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation, Spiking
from spikedoor.snn.encoding import Direct, Frames, Poisson
from spikedoor.snn.kernels import use
from spikedoor.snn.networks import PreActResNet, ResNet, SmallConv
from spikedoor.snn.neurons import IF, LIF, PLIF, SignedIF
from spikedoor.snn.readout import MeanCurrent, MeanRate
from spikedoor.snn.rectifiers import ClipFloorShift, ReLU
from spikedoor.victim import Blueprint, Probe, Stage

DATA, EVENTS = stripes(10), bands(10)
NEURONS = {
    "if": IF(threshold=0.3),
    "if-soft": IF(threshold=0.3, reset="soft"),
    "lif": LIF(threshold=0.2, tau=3.0, v_reset=-0.1),
    "lif-whole-input": LIF(threshold=0.3, tau=1.7, decay_input=False, reset="soft"),
    "plif": PLIF(threshold=0.2, v_reset=-0.07),
    "signed-if": SignedIF(threshold=0.3),
    "learned-threshold": LIF(threshold=0.3, learn_threshold=True),
}
NET = SmallConv(width=32, pool="avg")  # wide enough for the convolution of spikes


@torch.no_grad()
def stage(neuron, network=NET, data=DATA, steps=6, folded=False, activation=None, **settings):
    """Make a stage with everything that training and conversion can leave in one."""
    shape = settings.get("encoding", Direct()).shape(data)
    blueprint = Blueprint(network, shape, data.classes, neuron, False, activation or ReLU())
    net = shuffle_norms(blueprint.build(seed=3)).eval()
    for i, layer in enumerate(m for m in net.modules() if isinstance(m, Spiking)):
        if layer.leak is not None:
            layer.leak.fill_(0.3 * i - 0.5)
        if layer.stretch is not None:
            layer.stretch.fill_(0.2 - 0.3 * i)
        if folded:
            layer.threshold.fill_(0.4 - 0.1 * i)
            layer.amplitude.fill_(0.7 + 0.4 * i)
    if folded:
        for synapse in net.synapses():
            synapse.fold()
    return Stage("converted", blueprint, net, steps, **settings)


def activations(made):
    modules = made.network.named_modules()
    return {name: module for name, module in modules if isinstance(module, Activation)}


def whole(made, data, **settings):
    """Return what `Probe.stream` yields as whole arrays [T, N, ...] by quantity and layer."""
    probe = Probe(made)
    found = {q: {layer: {} for layer in probe.layers} for q in probe.quantities}
    for samples, first, traces in probe.stream(data, **settings):
        for layer, seen in traces.items():
            for q in probe.quantities:
                found[q][layer].setdefault(samples.start, {})[first] = getattr(seen, q)
    return {
        q: {
            layer: torch.cat([torch.cat(list(steps.values())) for steps in parts.values()], 1)
            for layer, parts in layers.items()
        }
        for q, layers in found.items()
    }


def observed(made, data, **settings):
    """Return what the layers send on while the stage predicts, [T, N, ...]."""
    sent, pieces = {}, -(-made.steps // 4) if made.blueprint.neuron else 1
    for name, layer in activations(made).items():
        layer.observer = sent.setdefault(name, []).append
    made.predict(data, title=None, **settings)
    for layer in activations(made).values():
        layer.observer = None
    steps = 4 if made.blueprint.neuron else 1
    result = {}
    for name, calls in sent.items():
        parts = [x.unflatten(0, (steps, -1)) for x in calls]
        batches = [torch.cat(parts[i : i + pieces]) for i in range(0, len(parts), pieces)]
        result[name] = torch.cat(batches, 1)[: made.steps]
    return result


@torch.no_grad()
def check_neurons(dynamics, current, membrane, spikes):
    """Walk the neuron as the textbooks have it, and check that the traces are its course."""
    x, h, s = (a.double() for a in (current, membrane, spikes))
    v = torch.as_tensor(dynamics.initial).double().expand(x.shape[1:])
    keep, gain, top = float(dynamics.keep), float(dynamics.gain), dynamics.threshold
    sent = torch.zeros_like(v)
    for t in range(len(x)):
        charged = keep * v + gain * x[t] + (1 - keep) * dynamics.v_reset
        torch.testing.assert_close(h[t], charged, rtol=1e-5, atol=1e-6)
        up = membrane[t] >= torch.tensor(top)
        down = (membrane[t] <= torch.tensor(-top)) & (sent > 0) & dynamics.signed
        assert torch.equal(s[t], up.double() - down.double())
        sent += s[t]
        v = h[t] - top * s[t] if dynamics.soft else torch.where(s[t] != 0, dynamics.v_reset, h[t])


CASES = {
    **{name: (neuron, {}) for name, neuron in NEURONS.items()},
    "folded": (NEURONS["if-soft"], {"folded": True}),
    "folded-signed-max": (
        NEURONS["signed-if"], {"folded": True, "network": SmallConv(width=4, pool="max")}
    ),
    "max": (NEURONS["lif"], {"network": SmallConv(width=6, pool="max")}),
    "residual": (NEURONS["lif"], {"network": ResNet(depth=20, width=0.5)}),
    "pre-activated": (NEURONS["lif-whole-input"], {"network": PreActResNet(width=0.125)}),
    "poisson": (NEURONS["if"], {"encoding": Poisson()}),
    "events": (NEURONS["lif"], {"encoding": Frames(), "data": EVENTS}),
    "constant-events": (NEURONS["if"], {"encoding": Frames(constant=True), "data": EVENTS}),
    "rate-readout": (NEURONS["lif"], {"readout": MeanRate(neuron=IF(reset="soft"))}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_sees_what_the_stage_computes(name):
    neuron, settings = CASES[name]
    made, data = stage(neuron, **settings), settings.get("data", DATA)
    asked = {"seed": 2, "together": 4, "indices": np.arange(9)}
    before = made.predict(data, title=None, **asked)
    found, sent = whole(made, data, **asked), observed(made, data, **asked)
    assert list(found["spikes"]) == [*activations(made), "head"]
    for layer, module in activations(made).items():
        dynamics = module.dynamics()
        spikes = found["spikes"][layer]
        assert torch.equal(spikes * dynamics.amplitude, sent[layer])
        assert 0 < spikes.abs().mean() < 1
        check_neurons(dynamics, *(found[q][layer] for q in ("current", "membrane", "spikes")))
    head = {q: found[q]["head"] for q in found}
    output = made.readout.neuron if isinstance(made.readout, MeanRate) else neuron
    check_neurons(output.build().dynamics(), *(head[q] for q in ("current", "membrane", "spikes")))
    read = head["spikes"] if isinstance(made.readout, MeanRate) else head["current"]
    assert np.array_equal(MeanCurrent().scores(read).argmax(2).numpy(), before)
    assert np.array_equal(made.predict(data, title=None, **asked), before)


@pytest.mark.parametrize("backend", ["eager", "torch"])
def test_follows_the_back_end(backend):
    made = stage(NEURONS["plif"])
    with use(backend):
        found, sent = whole(made, DATA), observed(made, DATA)
    for layer, spikes in sent.items():
        assert torch.equal(found["spikes"][layer], spikes)


def test_by_hand():
    """A pixel of 0.4 drives an IF neuron of threshold 1; the head counts its spikes."""
    neuron = IF(reset="soft")
    images = ImageSet(np.full((1, 1, 8, 8), 102, np.uint8), np.zeros(1, np.int64), ("a",), "grey")
    blueprint = Blueprint(SmallConv(), (1, 8, 8), ("a",), neuron)
    made = Stage("direct", blueprint, identity_network(64, neuron.build()), 6)
    found = {
        q: {layer: x[:, 0, 0].tolist() for layer, x in layers.items()}
        for q, layers in whole(made, images).items()
    }
    first, head = found["current"]
    assert head == "head"
    assert found["current"][first] == pytest.approx([0.4] * 6)
    assert found["membrane"][first] == pytest.approx([0.4, 0.8, 1.2, 0.6, 1.0, 0.4], abs=1e-6)
    assert found["spikes"][first] == [0, 0, 1, 0, 1, 0]
    assert found["current"][head] == [0, 0, 1, 0, 1, 0]
    assert found["membrane"][head] == [0, 0, 1, 0, 1, 0]
    assert found["spikes"][head] == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("folded", [False, True])
def test_an_ann_shows_its_activations(folded):
    made = stage(None, steps=1, folded=folded, activation=ClipFloorShift())
    found, sent = whole(made, DATA), observed(made, DATA)
    for name, layer in activations(made).items():
        assert torch.equal(found["spikes"][name], sent[name])
        assert torch.equal(layer.rectify(found["current"][name]), sent[name])
        assert found["current"][name].min() < 0
        assert torch.equal(found["membrane"][name], found["current"][name])
    said = found["current"]["head"].argmax(2).numpy()
    assert np.array_equal(said, made.predict(DATA, title=None))


def test_shows_only_what_was_asked_for():
    made = stage(NEURONS["if"])
    last = list(activations(made))[-1]
    for _, _, traces in Probe(made, ["head", last], ["membrane"]).stream(DATA):
        assert list(traces) == [last, "head"]
        assert all(seen.spikes is None is seen.current for seen in traces.values())
        assert all(seen.membrane is not None for seen in traces.values())


def test_nothing_is_left_in_the_layers_between_pieces():
    made = stage(NEURONS["if"])
    one, other = (Probe(made).stream(DATA, together=5) for _ in range(2))
    for a, b in zip(one, other, strict=True):  # interleaved
        assert not any(m._forward_pre_hooks or m._forward_hooks for m in made.network.modules())
        for layer in a.traces:
            assert torch.equal(a.traces[layer].membrane, b.traces[layer].membrane)
        made.predict(DATA, title=None)


def held():
    """Count the bytes of all tensors there are."""
    tensors = (a for a in gc.get_objects() if issubclass(type(a), torch.Tensor))
    storages = {s.data_ptr(): s.nbytes() for s in (t.untyped_storage() for t in tensors)}
    return sum(storages.values())


def test_what_is_held_grows_with_neither_steps_nor_samples():
    def most(steps, samples):
        made = stage(NEURONS["lif"], SmallConv(width=4), steps=steps)
        gc.collect()
        before = held()
        stream = Probe(made).stream(DATA, np.arange(samples), together=2)
        return max(held() - before for _ in stream)

    most(4, 2)  # what a first use leaves
    short, long, many = most(8, 2), most(40, 2), most(8, 10)
    assert short > 4 * 2 * 3 * 4 * 64 * 4  # three quantities of the first layer, in one piece
    assert long == short == many


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"layers": ["heat"]}, "did you mean 'head'"), ({"quantities": ["spike"]}, "'spikes'")],
)
def test_unknown_names_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        Probe(stage(NEURONS["if"]), **wrong)
