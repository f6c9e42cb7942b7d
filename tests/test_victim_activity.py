"""Firing rates, against spikes counted by hand and against the outputs of the layers."""

import numpy as np
import pytest
import torch
from rules_cases import stripes

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.neurons import IF, SignedIF
from spikedoor.victim import Blueprint, Stage, activity

DATA = stripes(40)


def stage(neuron, steps=6):
    blueprint = Blueprint(SmallConv(width=4), DATA.shape, DATA.classes, neuron)
    return Stage("direct", blueprint, blueprint.build(seed=1).eval(), steps)


@pytest.mark.parametrize("neuron", [IF(reset="soft"), SignedIF()])
def test_counts_what_the_layers_send(neuron):
    made = stage(neuron)
    layers = [m for m in made.network.modules() if isinstance(m, Spiking)]
    sent = [[] for _ in layers]
    for layer, seen in zip(layers, sent, strict=True):
        layer.observer = seen.append
    chosen = np.arange(0, 40, 4)
    made.predict(DATA, 0, chosen, together=10)
    for layer in layers:
        layer.observer = None
    # Pieces of 4 steps, of which the last two steps of the second are not asked for.
    spikes = [torch.cat(seen).unflatten(0, (8, 10))[:6].ne(0).double() for seen in sent]
    rates = [s.flatten(2).mean((1, 2)) for s in spikes]
    every = torch.cat([s.flatten(2) for s in spikes], 2).mean(2)
    found = activity(made, DATA, samples=10)
    assert len(found.layers) == len(layers)
    np.testing.assert_allclose(found.by_layer, torch.stack(rates, 1), rtol=1e-12)
    np.testing.assert_allclose(found.by_sample, every, rtol=1e-12)
    np.testing.assert_allclose(found.until(3), every[:3].mean(0), rtol=1e-12)
    assert 0 < found.by_sample.mean() < 1


def test_few_samples_are_all_shown_and_observers_are_taken_away():
    made = stage(IF())
    found = activity(made, DATA.subset(np.arange(3)), samples=128)
    assert found.by_sample.shape == (6, 3)
    assert all(m.observer is None for m in made.network.modules() if isinstance(m, Spiking))


def test_an_ann_has_no_spikes_to_count():
    with pytest.raises(ConfigError, match="no spiking neurons"):
        activity(stage(None), DATA)
