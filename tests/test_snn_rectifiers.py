"""The ANN's activations: closed forms, gradients, and what becomes of them in files and rules."""

import json

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    CLASSES,
    NETWORK,
    QUICK,
    equal_states,
    identity_network,
    one_thread,
    stripes,
)

from spikedoor.errors import ConfigError
from spikedoor.rules import Conversion, Hybrid, Training, train_ann
from spikedoor.rules.conversion import QCFS, Max
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.rectifiers import RECTIFIERS, ClipFloorShift, ClippedReLU, ReLU
from spikedoor.snn.signal import Signal
from spikedoor.victim import Blueprint, Victim

every_activation = pytest.mark.parametrize("name", RECTIFIERS.names())
GRID = torch.linspace(-3, 6, 301)


def values(layer: Rectifier, x: torch.Tensor) -> torch.Tensor:
    return layer(Signal(x.view(1, -1), 1, 1)).data[0]


@every_activation
class TestEveryActivation:
    def test_is_a_rectifier(self, name):
        layer = RECTIFIERS[name]().build()
        y = values(layer, GRID).detach()
        assert isinstance(layer, Rectifier)
        assert (y[GRID <= 0] == 0).all()
        assert (y.diff() >= 0).all()
        assert y.max() == pytest.approx(6.0 if layer.limit is None else layer.limit)
        assert (y - GRID.clamp(0, float(y.max()))).abs().max() < 0.6

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
    def test_keeps_the_type(self, name, dtype):
        assert values(RECTIFIERS[name]().build(), GRID.to(dtype)).dtype == dtype

    def test_trains_and_comes_back_from_a_file(self, name, tmp_path):
        how = QUICK.model_copy(update={"epochs": 6})
        rule = Conversion(ann=how, activation={"name": name}, converter=Max(), steps=16)
        victim = rule.fit(NETWORK, stripes())
        assert (victim["ann"].predict(stripes())[-1] == stripes().labels).mean() > 0.8
        loaded = Victim.load(victim.save(tmp_path / "victim"))
        for before, after in zip(victim.stages, loaded.stages, strict=True):
            assert after.blueprint == before.blueprint
            assert after.blueprint.activation.name == name
            assert equal_states(after.network, before.network)
            assert (after.predict(stripes()) == before.predict(stripes())).all()


def test_clipped_relu_by_hand():
    y = values(ClippedReLU(limit=1.5).build(), torch.tensor([-1.0, 0.5, 1.5, 4.0]))
    assert y.tolist() == [0, 0.5, 1.5, 1.5]


def test_clip_floor_shift_by_hand():
    """Limit 2 in 4 levels of 0.5, rounded to the nearest."""
    x = torch.tensor([-1.0, 0.2, 0.3, 0.74, 0.76, 1.6, 1.8, 9.0])
    y = values(ClipFloorShift(levels=4, limit=2.0).build(), x)
    torch.testing.assert_close(y, torch.tensor([0, 0, 0.5, 0.5, 1.0, 1.5, 2.0, 2.0]))


def test_gradients_of_clip_floor_shift():
    """To the current: 1 inside. To lambda: (y - z) / lambda inside, 1 above (Bu et al., eq. 14)."""
    layer = ClipFloorShift(levels=4, limit=2.0).build()
    for z, to_z, to_limit in (
        (-1.0, 0, 0),
        (0.3, 1, (0.5 - 0.3) / 2),
        (1.6, 1, -0.05),
        (3.0, 0, 1),
    ):
        x = torch.tensor([z], requires_grad=True)
        layer.zero_grad()
        values(layer, x).sum().backward()
        assert x.grad.item() == pytest.approx(to_z)
        to_log = layer.log_limit.grad.item()
        assert to_log / layer.limit == pytest.approx(to_limit, abs=1e-6)


def test_lambda_is_learned_and_stays_positive():
    ann = train_ann(NETWORK, stripes(48), QUICK, 0, activation=ClipFloorShift())
    limits = [m.limit for m in ann.network.modules() if isinstance(m, Rectifier)]
    assert len(set(limits)) == len(limits)
    layer = ClipFloorShift().build()
    optimiser = torch.optim.SGD(layer.parameters(), lr=10.0)
    for _ in range(50):
        optimiser.zero_grad()
        values(layer, torch.tensor([5.0])).sum().backward()
        optimiser.step()
    assert 0 <= layer.limit < 0.1


class TestBlueprint:
    def test_round_trip(self):
        blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, activation=ClipFloorShift(levels=8))
        assert Blueprint.from_dict(json.loads(json.dumps(blueprint.to_dict()))) == blueprint

    def test_of_before_there_was_a_choice_means_relu(self):
        plain = Blueprint(NETWORK, (1, 8, 8), CLASSES).to_dict()
        assert plain.pop("activation") == {"name": "relu"}
        assert Blueprint.from_dict(plain).activation == ReLU()


class TestRules:
    def test_the_activation_decides_the_ann_and_nothing_after(self):
        plain, other = Conversion().phases(), Conversion(activation=ClippedReLU()).phases()
        assert plain[0].decided_by != other[0].decided_by
        assert plain[1].decided_by == other[1].decided_by

    @pytest.mark.parametrize("rule", [Conversion, Hybrid])
    def test_steps_decide_the_conversion_only_where_the_converter_uses_them(self, rule):
        for name, used in (("max", False), ("calibration", True)):
            few, many = (rule(converter={"name": name}, steps=t).phases()[1] for t in (4, 8))
            assert (few.decided_by != many.decided_by) == used

    def test_qcfs_without_its_activation_is_refused_where_it_is_written_down(self):
        with pytest.raises(ConfigError, match=r"converter 'qcfs' needs .*'qcfs', got 'relu'"):
            Conversion(converter=QCFS())
        assert Conversion(converter=QCFS(), activation=ClipFloorShift()).activation.levels == 4

    def test_qcfs_refuses_an_ann_of_another_rule_by_name(self):
        with pytest.raises(ConfigError, match=r"activation = \"qcfs\".*'blocks\.1\.activation'"):
            QCFS().convert(identity_network(3, Rectifier()), [torch.rand(2, 1, 1, 3)], 4)

    @pytest.mark.parametrize("rule", [Conversion, Hybrid])
    def test_max_pooling_is_refused_before_the_ann_is_trained(self, rule):
        with pytest.raises(ConfigError, match="max pooling"):
            rule(ann=Training(epochs=10**6)).fit(SmallConv(width=4, pool="max"), stripes(48))

    def test_max_pooling_of_spikes_is_noted(self):
        rule = Conversion(ann=QUICK, converter=Max(max_pool="spikes"))
        stage = rule.fit(SmallConv(width=4, pool="max"), stripes(48)).final
        assert stage.notes["report"]["max_pooled"] == ["blocks.0", "blocks.1"]

    @pytest.mark.parametrize("reset", ["hard", "soft"])
    def test_finetuning_goes_on_with_the_neurons_of_the_conversion(self, reset):
        converter = {"name": "spike-norm", "reset": reset, "steps": 8}
        victim = Hybrid(ann=QUICK, converter=converter, finetune=Training(epochs=0)).fit(
            NETWORK, stripes(48)
        )
        resets = [victim[name].blueprint.neuron.reset for name in ("converted", "finetuned")]
        assert resets == [reset, reset]
        found = victim["converted"].predict(stripes()), victim["finetuned"].predict(stripes())
        assert np.array_equal(*found)

    def test_finetuning_starts_from_one_membrane_a_neuron(self):
        converter = {"name": "calibration", "mode": "advanced"}
        rule = Hybrid(ann=QUICK, converter=converter, finetune=Training(epochs=0))
        victim = rule.fit(NETWORK, stripes(48))
        assert equal_states(victim["converted"].network, victim["finetuned"].network)
        assert victim["finetuned"].network.state_dict()["blocks.0.activation.initial"].dim() == 3
