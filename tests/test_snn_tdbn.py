"""Threshold-dependent batch norm: the published currents, in units and on residual branches."""

import copy

import pytest
import torch
from torch import Tensor

from spikedoor.errors import ConfigError
from spikedoor.rules.conversion.base import fold
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.blocks import Residual, Synapse, Unit
from spikedoor.snn.networks import (
    Architecture,
    BadNet,
    Network,
    PreActResNet,
    ResNet,
    SmallConv,
)
from spikedoor.snn.neurons import IF, LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim import Blueprint

SHAPE, CLASSES, STEPS, BATCH = (3, 16, 16), 5, 3, 4
V = 0.25

PLANS = [SmallConv(width=8, norm="tdbn"), ResNet(depth=18, width=0.125, norm="tdbn")]
plans = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)


def build(plan: Architecture, threshold: float | None = V) -> Network:
    def activation():
        return Rectifier() if threshold is None else LIF(threshold=threshold).build()

    return plan.build(SHAPE, CLASSES, activation, seed=3)


def signal() -> Signal:
    x = torch.randn((BATCH, *SHAPE), generator=torch.Generator().manual_seed(1))
    return Signal(x, STEPS, BATCH)


def factors(network: Network, v: float) -> dict[Synapse, float]:
    """Return the published ``alpha V`` of every synapse."""
    found: dict[Synapse, float] = {}
    for module in network.modules():
        if isinstance(module, Unit):
            found[module.synapse] = v
        elif isinstance(module, Residual):
            branches = [module.second, module.shortcut]
            found |= {s: v / 2**0.5 for s in branches if s is not None}
    return found


def published(x: Tensor, alpha_v: float) -> Tensor:
    """Normalise over steps, samples and pixels, in the paper's words."""
    dims = [d for d in range(x.dim()) if d != 1]
    var, mean = torch.var_mean(x.double(), dims, correction=0, keepdim=True)
    return alpha_v * (x.double() - mean) / torch.sqrt(var + 1e-5)


@plans
@pytest.mark.parametrize("threshold", [V, 2.0, None], ids=str)
def test_currents_are_the_published_ones(plan, threshold):
    network = build(plan, threshold)
    expected = factors(network, 1.0 if threshold is None else threshold)
    assert set(expected) == set(network.synapses())
    for i, (synapse, alpha_v) in enumerate(expected.items()):
        assert synapse.norm is not None
        random = torch.Generator().manual_seed(i)
        channels = len(synapse.norm.weight)
        x = 3 * torch.randn(STEPS * BATCH, channels, 4, 4, generator=random) + 1
        found = synapse.norm.train()(x)
        torch.testing.assert_close(found.double(), published(x, alpha_v), rtol=1e-4, atol=1e-5)


@plans
def test_plain_batch_norm_starts_at_one(plan):
    network = build(plan.model_copy(update={"norm": "bn"}))
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    assert norms
    assert all((norm.weight == 1).all() for norm in norms)


def test_at_threshold_one_only_residual_branches_differ():
    """With V = 1 a network without residual sums is the one with plain batch norm."""
    one = build(SmallConv(width=8, norm="tdbn"), 1.0)
    other = build(SmallConv(width=8), 1.0)
    assert torch.equal(one(signal()), other(signal()))


@plans
def test_folds_into_the_layers(plan):
    network = build(plan)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network(signal())
        before = copy.deepcopy(network).eval()
        folded = fold(network)
        assert all(synapse.norm is None for synapse in folded.synapses())
        torch.testing.assert_close(folded(signal()), before(signal()), rtol=1e-3, atol=1e-4)


def test_a_lower_threshold_with_it_gives_the_same_spikes():
    """Currents scale with V, and so does the membrane: the paper's point is a rate free of V."""
    low, high = (spikes(build(PLANS[0], v)) for v in (0.5, 1.0))
    assert all(torch.equal(a, b) for a, b in zip(low, high, strict=True))
    assert min(float(layer.mean()) for layer in low) > 0.005


def spikes(network: Network) -> list[Tensor]:
    sent: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, Unit):
            module.activation.observer = sent.append
    with torch.no_grad():
        network(signal())
    return sent


def test_a_blueprint_of_before_there_was_a_choice_means_batch_norm():
    plain = Blueprint(ResNet(), SHAPE, ("a", "b"), LIF()).to_dict()
    assert plain["architecture"].pop("norm") == "bn"
    assert plain["neuron"].pop("learn_threshold") is False
    assert Blueprint.from_dict(plain) == Blueprint(ResNet(), SHAPE, ("a", "b"), LIF())


def test_norms_before_an_activation_start_at_its_threshold():
    network = PreActResNet(width=0.125, norm="tdbn").build((3, 8, 8), 3, IF(threshold=0.5).build, 0)
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    assert len(norms) == 16
    assert all((norm.weight == 0.5).all() for norm in norms)


def test_a_network_without_norms_refuses_it():
    with pytest.raises(ConfigError, match="'badnet' has no norm at all"):
        BadNet(norm="tdbn")
