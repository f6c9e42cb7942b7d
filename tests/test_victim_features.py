"""Features, against the same worked out from whole traces, and by hand."""

import numpy as np
import pytest
import torch
from test_victim_probe import DATA, NEURONS, activations, stage, whole

from spikedoor.errors import ConfigError
from spikedoor.snn.networks import SmallConv
from spikedoor.victim import Blueprint, Stage, features, layer_features

NETWORK = SmallConv(width=4)


def expected(kind, found, layer, amplitude):
    """Work out features [N, neurons..., ] from traces [T, N, ...], in double precision."""
    s, h, x = (found[q][layer].double().numpy() for q in ("spikes", "membrane", "current"))
    if kind == "latency":
        fired = s != 0
        return np.where(fired.any(0), fired.argmax(0), len(s))
    if kind == "profile":
        return np.moveaxis(s.sum(tuple(range(3, s.ndim))), 0, 1)
    means = {"membrane": h, "current": x, "rate": s, "activation": amplitude * s}
    return means[kind].mean(0)


@pytest.mark.parametrize("neuron", ["lif", "signed-if"])
@pytest.mark.parametrize(
    "kind", ["membrane", "current", "rate", "activation", "latency", "profile"]
)
def test_are_those_of_the_whole_traces(kind, neuron):
    made = stage(NEURONS[neuron], NETWORK, folded=neuron == "signed-if")
    found = whole(made, DATA)
    each = layer_features(made, DATA, kind, together=4)
    averaged = layer_features(made, DATA, kind, channels=True)
    assert list(each) == list(averaged) == [*activations(made), "head"]
    for layer, values in each.items():
        module = activations(made).get(layer)
        wanted = expected(kind, found, layer, 1.0 if module is None else float(module.amplitude))
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, wanted.reshape(len(DATA), -1), rtol=1e-5, atol=1e-6)
        if kind != "profile" and wanted.ndim == 4:
            wanted = wanted.mean((2, 3))
        np.testing.assert_allclose(
            averaged[layer], wanted.reshape(len(DATA), -1), rtol=1e-5, atol=1e-6
        )


def test_are_of_the_layer_before_the_head_by_default():
    made = stage(NEURONS["lif"], NETWORK)
    last = list(activations(made))[-1]
    chosen = np.array([7, 2])
    every = layer_features(made, DATA)
    assert np.array_equal(features(made, DATA, indices=chosen), every[last][chosen])
    assert np.array_equal(features(made, DATA, "current", "head").argmax(1),
                          made.predict(DATA, title=None)[-1])  # fmt: skip


def test_an_ann_has_activations_and_no_spikes():
    blueprint = Blueprint(NETWORK, DATA.shape, DATA.classes)
    made = Stage("ann", blueprint, blueprint.build(seed=3).eval())
    before, after = (features(made, DATA, kind) for kind in ("membrane", "activation"))
    assert before.min() < 0
    np.testing.assert_array_equal(after, before.clip(0))
    for kind in ("rate", "latency", "profile"):
        with pytest.raises(ConfigError, match="'activation'"):
            features(made, DATA, kind)


def test_mistakes_are_told():
    made = stage(NEURONS["lif"], NETWORK)
    with pytest.raises(ConfigError, match="did you mean 'membrane'"):
        features(made, DATA, "membrain")
    with pytest.raises(ConfigError, match="no layer 'tail'"):
        features(made, DATA, layer="tail")
    with pytest.raises(ConfigError, match="got none"):
        features(made, DATA, indices=np.array([], dtype=np.int64))


def test_leave_no_graph():
    made = stage(NEURONS["plif"], NETWORK)
    assert torch.is_grad_enabled()
    features(made, DATA)
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in made.network.parameters())
