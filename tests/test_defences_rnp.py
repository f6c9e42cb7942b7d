"""RNP: what is forgotten, what brings it back, and what is pruned from the original."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences import layers
from spikedoor.defences.eliminate import RNP
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.eliminate.masks import Channels


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_unlearning_ends_where_the_classes_are_forgotten(rule) -> None:
    found = case(rule)
    clean = found.defender().clean
    unlearned, course = RNP().unlearn(found.stage, found.defender())
    assert accuracy(unlearned, clean).value == course[-1] <= 0.2
    assert all(value > 0.2 for value in course[:-1])


def test_masks_bring_the_classes_back() -> None:
    found = case("direct")
    defender = found.defender()
    unlearned, course = RNP().unlearn(found.stage, defender)
    before = weights(unlearned)
    masks = RNP().masks(unlearned, defender)
    assert all(np.array_equal(v, before[k]) for k, v in weights(unlearned).items())
    assert ((masks >= 0) & (masks <= 1)).all()
    channels = Channels(unlearned.network)
    gains = torch.from_numpy(masks)
    images = defender.clean.batch(np.arange(len(defender.clean)))
    signal = unlearned.encode(unlearned.prepare(images), torch.Generator())
    with torch.no_grad():
        said = unlearned.readout.scores(channels.currents(signal, gains, gains))[-1].argmax(1)
    recovered = np.mean(said.numpy() == defender.clean.labels)
    assert recovered > course[-1] + 0.3


def test_f10_channels_are_pruned_from_the_original_by_validation_alone() -> None:
    found = case("direct")
    stage, defender, method = found.stage, found.defender(), RNP(tolerance=0.1)
    before, state = weights(stage), torch.get_rng_state()
    made = method.repair(stage, defender)
    told = made.notes["repair"]
    least = accuracy(stage, defender.validation).value - 0.1
    assert accuracy(made, defender.validation).value >= least
    known = layers(made.network)
    assert any(told["pruned"].values())
    expected = weights(stage)
    for layer in known:  # of norms in front of neurons alone
        gone = told["pruned"][layer.path]
        name = layer.path.replace("activation", "synapse")
        for part in ("layer.weight", "norm.weight", "norm.bias"):
            expected[f"{name}.{part}"][gone] = 0
    assert all(np.array_equal(v, expected[k]) for k, v in weights(made).items())
    again = method.repair(stage, replace(defender, train=None))
    assert all(np.array_equal(v, weights(again)[k]) for k, v in weights(made).items())
    assert all(np.array_equal(v, before[k]) for k, v in weights(stage).items())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_backdoor_is_weakened_for_little_accuracy() -> None:
    found = case("direct")
    made = RNP().repair(found.stage, found.defender())
    assert found.success(made) < found.success(found.stage) - 0.1
    assert found.accuracy(made) > found.accuracy(found.stage) - 0.08
