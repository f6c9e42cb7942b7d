"""ANP and pruning by masks: gains by other means, and a threshold that validation chooses."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences import layers
from spikedoor.defences.eliminate import ANP
from spikedoor.defences.eliminate.anp import _Loss
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.eliminate.masks import Channels, batches, pruned
from spikedoor.errors import ConfigError
from spikedoor.rng import torch_generator
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import PreActResNet, ResNet, SmallConv
from spikedoor.snn.networks.base import Architecture
from spikedoor.snn.neurons import IF, LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage
from spikedoor.victim.blueprint import Blueprint

SHORT = ANP(iterations=5)


def fresh(network: Architecture, folded: bool = False) -> Stage:
    """Return an untrained stage whose channels all have a bias."""
    blueprint = Blueprint(network, (1, 8, 8), tuple("abc"), LIF() if not folded else IF(), folded)
    stage = Stage("direct", blueprint, blueprint.build(0).eval(), steps=4)
    for layer in layers(stage.network):
        for module in (layer.norm, *(m for part in layer.parts for m in part)):
            if module is not None and module.bias is not None:
                torch.nn.init.constant_(module.bias, 1.5)
    return stage


def signal(stage: Stage) -> Signal:
    images = torch.rand(6, 1, 8, 8, generator=torch_generator(0, "images"))
    return stage.encode(images, torch_generator(0, "spikes"))


NETS = {
    "norms": (SmallConv(width=8), False),
    "folded": (SmallConv(width=8), True),
    "residual": (ResNet(depth=18, width=0.125), False),
    "pre-activation": (PreActResNet(width=0.125), False),
}


@pytest.mark.parametrize("net", NETS)
def test_a_gain_of_0_is_pruning_and_a_gain_of_1_is_nothing(net: str) -> None:
    stage = fresh(*NETS[net])
    channels = Channels(stage.network)
    gain = torch.ones(sum(channels.sizes))
    with torch.no_grad():
        whole = stage.network(signal(stage))
        assert torch.equal(channels.currents(signal(stage), gain, gain), whole)
        made = stage.copied()
        first, *_, last = layers(made.network)
        first.prune(np.array([1, 2]))
        last.prune(np.array([0]))
        gain[[1, 2, len(gain) - last.channels]] = 0
        found = channels.currents(signal(stage), gain, gain)
        assert torch.equal(found, made.network(signal(stage)))
        assert not torch.equal(found, whole)


def test_a_perturbed_threshold_is_that_of_the_neurons() -> None:
    stage = fresh(SmallConv(width=8))
    loss = _Loss(stage, neurons=True)
    perturbation = loss.none.clone()
    perturbation[-2] = 0.3
    other = stage.copied()
    neurons = layers(other.network)[-2].activation
    assert isinstance(neurons, Spiking)
    neurons.threshold.mul_(1.3)
    labels, ones = torch.zeros(6, dtype=torch.long), torch.ones(loss.count)
    with torch.no_grad():
        found = loss(signal(stage), labels, ones, perturbation)
        wanted = _Loss(other, neurons=False)(
            signal(other), labels, ones, loss.none[: 2 * len(ones)]
        )
        assert found.item() == pytest.approx(wanted.item(), abs=1e-5)
        assert found.item() != pytest.approx(loss(signal(stage), labels, ones, loss.none).item())


@pytest.mark.parametrize("neurons", [False, True])
def test_a_perturbation_is_within_its_bound_and_raises_the_loss(neurons: bool) -> None:
    found = case("direct")
    stage, method = found.stage.copied(), ANP(neurons=neurons, epsilon=0.3, ascents=3)
    stage.network.requires_grad_(False)
    loss = _Loss(stage, neurons)
    shown, labels = next(batches(stage, found.defender().clean, 64, 1, 0, "test"))
    masks = torch.ones(loss.count)
    worst = method._worst(loss, shown, labels, masks, torch_generator(0, "noise"))
    assert worst.abs().max() <= 0.3
    start = 0.3 * (2 * torch.rand(worst.shape, generator=torch_generator(0, "noise")) - 1)
    assert loss(shown, labels, masks, worst) > 1.5 * loss(shown, labels, masks, start)


def test_the_mask_of_a_harmful_channel_falls_furthest() -> None:
    """A channel that charges all neurons behind it, whatever is shown."""
    found = case("direct")
    stage = found.stage.copied()
    layer = layers(stage.network)[1]
    norm = cast(BatchNorm, layer.parts[0][1])
    with torch.no_grad():
        norm.weight[3], norm.bias[3] = 0, 1.5
    masks = ANP(iterations=100).masks(stage, found.defender())
    of_layer = Channels(stage.network).split(masks)[1]
    assert of_layer[3] == of_layer.min()
    assert ((masks >= 0) & (masks <= 1)).all()


@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.4])
def test_f10_the_threshold_is_the_largest_that_validation_allows(tolerance: float) -> None:
    found = case("direct")
    defender = found.defender()
    rng = np.random.default_rng(0)
    masks = rng.random(sum(Channels(found.stage.network).sizes))
    made = pruned(found.stage, defender, masks, tolerance)
    told = made.notes["repair"]
    least = accuracy(found.stage, defender.validation).value - tolerance
    *failed, passed = told["validation"].values()
    assert accuracy(made, defender.validation).value == passed >= least
    assert all(value < least for value in failed)
    assert [float(t) for t in told["validation"]] == [(19 - k) / 20 for k in range(len(failed) + 1)]
    gone = np.concatenate(
        [
            np.isin(np.arange(n), told["pruned"][layer.path])
            for n, layer in zip(Channels(made.network).sizes, layers(made.network), strict=True)
        ]
    )
    assert np.array_equal(gone, masks < told["threshold"])


def test_f10_poison_is_neither_needed_nor_looked_at() -> None:
    found = case("direct")
    defender = found.defender()
    with_train = SHORT.repair(found.stage, defender)
    without = SHORT.repair(found.stage, replace(defender, train=None))
    assert all(np.array_equal(v, weights(without)[k]) for k, v in weights(with_train).items())


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_nothing_given_is_changed_and_equal_seeds_agree(rule: str) -> None:
    found = case(rule)
    before, state = weights(found.stage), torch.get_rng_state()
    first, second = (SHORT.repair(found.stage, found.defender()) for _ in range(2))
    assert all(np.array_equal(v, before[k]) for k, v in weights(found.stage).items())
    assert all(np.array_equal(v, weights(second)[k]) for k, v in weights(first).items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.requires_grad and p.grad is None for p in first.network.parameters())
    assert not first.network.training


def test_a_blended_backdoor_is_pruned_where_channels_carry_it() -> None:
    found = case("conversion", "blended")
    made = ANP().repair(found.stage, found.defender())
    assert found.success(made) < 0.5 < 0.9 < found.success(found.stage)
    assert found.accuracy(made) > found.accuracy(found.stage) - 0.08


def test_an_ann_has_no_thresholds_to_perturb() -> None:
    found = case("conversion")
    with pytest.raises(ConfigError, match="neurons"):
        ANP(neurons=True).repair(found.victim.stages[0], found.defender())
