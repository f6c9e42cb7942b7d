"""Fine-pruning: what is pruned, when it stops, and that the pruned stay silent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from defence_cases import case, digits
from torch import nn

from spikedoor.data.base import ImageSet
from spikedoor.defences import Defender, layers
from spikedoor.defences.eliminate import FinePruning
from spikedoor.defences.eliminate.base import TRAINING, accuracy
from spikedoor.errors import ConfigError
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import PreActResNet, ResNet, SmallConv
from spikedoor.snn.neurons import IF, LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.victim import Blueprint, Stage
from spikedoor.victim.features import features

NOT_TRAINED = TRAINING.model_copy(update={"epochs": 0})


def silent(stage: Stage, path: str) -> np.ndarray:
    """Which channels have no weight left."""
    layer = next(layer for layer in layers(stage.network) if layer.path == path)
    return np.flatnonzero(layer.parts[0][0].weight.detach().flatten(1).numpy().any(1) == 0)


@pytest.mark.parametrize("rule", ["direct", "conversion", "hybrid"])
@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.5])
def test_f7_the_returned_net_is_the_last_that_passed(rule, tolerance):
    shown, method = case(rule), FinePruning(tolerance=tolerance, training=NOT_TRAINED)
    defender = shown.defender()
    made = method.repair(shown.stage, defender)
    told = made.notes["repair"]
    course, pruned = told["validation"], told["pruned"]
    bound = course[0] - tolerance
    assert course[0] == accuracy(shown.stage, defender.validation).value
    assert silent(made, told["layer"]).tolist() == sorted(pruned)
    assert accuracy(made, defender.validation).value == course[len(pruned)] >= bound
    assert len(pruned) < told["channels"]
    if len(pruned) < told["channels"] - 1:
        assert len(course) == len(pruned) + 2
        assert course[-1] < bound


def test_prunes_in_the_order_of_rates_on_clean_samples_in_steps():
    shown = case("direct")
    stage, defender = shown.stage, shown.defender()
    path = "blocks.0.activation"
    method = FinePruning(layer=path, tolerance=0.99, step=3, training=NOT_TRAINED)
    pruned = method.repair(stage, defender).notes["repair"]["pruned"]
    rates = features(stage, defender.clean, "rate", path, channels=True).mean(0)
    assert pruned == np.argsort(rates)[: len(pruned)].tolist()
    assert len(pruned) == 6


def untrained(network, neuron, bias: bool = False, folded: bool = False) -> Stage:
    data = digits()
    blueprint = Blueprint(network, data.train.shape, data.train.classes, neuron, folded)
    stage = Stage("direct", blueprint, blueprint.build(0), 4)
    for module in stage.network.modules():
        if isinstance(module, nn.Conv2d) and bias:
            module.bias = nn.Parameter(torch.full((len(module.weight),), 0.4))
        if isinstance(module, Spiking):
            module.initial.fill_(0.5 * float(module.threshold))
        elif isinstance(module, BatchNorm):  # a shift that would charge the neurons
            nn.init.constant_(module.bias, 1.5)
    return stage


NETS = {
    "bn": (SmallConv(width=4), LIF(), False, False),
    "bias": (SmallConv(width=4), IF(), True, False),
    "folded": (SmallConv(width=4), IF(reset="soft"), True, True),
    "pre-activation": (PreActResNet(width=0.125), LIF(), False, False),
    "residual": (ResNet(depth=18, width=0.125), LIF(), False, False),
}


@pytest.mark.parametrize("net", NETS)
def test_f15_a_pruned_channel_never_spikes(net):
    stage = untrained(*NETS[net])
    data = digits()
    defender = Defender(data.train.subset(np.arange(24)), data.train.subset(np.arange(24, 30)))
    known = layers(stage.network)
    training = TRAINING.model_copy(
        update={"epochs": 2, "batch": 12, "optimiser": Adam(lr=0.05, weight_decay=0.01)}
    )
    chosen = [known[1], known[0]] if net == "pre-activation" else [known[0]]
    if net == "residual":
        chosen = [next(layer for layer in known if len(layer.parts) == 2)]
    for layer in chosen:
        method = FinePruning(
            layer=layer.path, tolerance=0.99, step=layer.channels // 2, training=training
        )
        made = method.repair(stage, defender)
        pruned = made.notes["repair"]["pruned"]
        assert len(pruned) == layer.channels // 2
        shown = data.test.subset(np.arange(20))
        spikes = features(made, shown, "rate", layer.path, channels=True).max(0)
        assert not spikes[pruned].any()
        kept = np.setdiff1d(np.arange(layer.channels), pruned)
        assert spikes[kept].any()
        before = features(stage, shown, "rate", layer.path, channels=True).max(0)
        assert before[pruned].any()


def test_f15_channels_of_a_converted_stage_stay_silent():
    shown = case("conversion")
    training = TRAINING.model_copy(update={"epochs": 2})
    made = FinePruning(tolerance=0.5, training=training).repair(shown.stage, shown.defender())
    told = made.notes["repair"]
    rates = features(made, shown.data.test, "rate", told["layer"], channels=True)
    assert told["pruned"]
    assert not rates[:, told["pruned"]].any()


def test_of_an_ann_channels_are_ranked_by_activation():
    shown = case("conversion")
    ann = shown.victim.stages[0]
    defender = shown.defender()
    told = FinePruning(training=NOT_TRAINED).repair(ann, defender).notes["repair"]
    means = features(ann, defender.clean, "activation", told["layer"], channels=True).mean(0)
    assert told["pruned"] == np.argsort(means)[: len(told["pruned"])].tolist()


def test_refuses_a_layer_that_is_not_there():
    shown = case("direct")
    with pytest.raises(ConfigError, match=r"blocks\.1\.activation"):
        FinePruning(layer="blocks.1.activatoin").repair(shown.stage, shown.defender())


def test_validation_samples_alone_decide_where_it_stops():
    shown = case("direct")
    defender = shown.defender()
    wrong = np.array((defender.validation.labels + 1) % 10)
    images = defender.validation.batch(np.arange(len(wrong)))
    misled = replace(defender, validation=ImageSet(images, wrong, defender.validation.classes, "x"))
    method = FinePruning(tolerance=0.0, training=NOT_TRAINED)
    count = len(method.repair(shown.stage, defender).notes["repair"]["pruned"])
    # All answers count as wrong at first, so that no pruning makes it worse.
    found = method.repair(shown.stage.copied(), misled).notes["repair"]
    assert len(found["pruned"]) == found["channels"] - 1 > count
