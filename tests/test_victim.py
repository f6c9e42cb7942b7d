"""Victims: asking them, and building them again from a plan."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    CLASSES,
    NETWORK,
    QUICK,
    equal_states,
    one_thread,
    poisoned,
    stripes,
)
from victim_cases import every_stage, made

from spikedoor.attack import Attack, Patch
from spikedoor.defences import Defender
from spikedoor.defences.eliminate import FineTuning
from spikedoor.errors import ConfigError
from spikedoor.evaluation import evaluate
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.networks import ResNet
from spikedoor.snn.neurons import IF, LIF, PLIF
from spikedoor.snn.readout import LastMembrane, MeanCurrent, MeanRate
from spikedoor.snn.surrogate import Triangle
from spikedoor.victim import Blueprint, Victim, to_floats


@pytest.fixture
def victim() -> Victim:
    return every_stage()


class TestStages:
    def test_are_found_by_name(self, victim):
        assert [stage.name for stage in victim.stages] == [
            "ann", "converted", "finetuned", "direct"
        ]  # fmt: skip
        assert victim["converted"] is victim.stages[1]
        assert victim.final is victim["direct"]

    def test_a_near_miss_is_named(self, victim):
        with pytest.raises(ConfigError, match=r"no stage 'convertd'; did you mean 'converted'\?"):
            victim["convertd"]

    def test_one_can_be_evaluated_alone(self, victim):
        attack = Attack(trigger=Patch(size=2))
        alone = evaluate(victim.final, stripes(20), attack)
        together = evaluate(victim, stripes(20), attack)
        assert alone.stages == ("direct",)
        assert alone.scores("direct") == together.scores("direct")

    def test_samples_of_another_shape_are_refused(self, victim):
        data = stripes(4)
        other = replace(data, images=data.images[..., 1:])
        for stage in victim.stages:
            with pytest.raises(ConfigError, match=f"'{stage.name}': expected samples of shape"):
                stage.predict(other)

    def test_a_victim_in_place_of_a_stage_is_told_of_it(self, victim):
        with pytest.raises(AttributeError, match=r"`victim\.final`"):
            FineTuning().repair(victim, Defender.of(stripes(20), 0.5))
        assert copy.deepcopy(victim).final.name == "direct"

    def test_a_module_in_place_of_a_victim_is_told_how_it_becomes_one(self, victim):
        with pytest.raises(ConfigError, match="got Network; of a torch module"):
            evaluate(victim.final.network, stripes(20), Attack(trigger=Patch(size=2)))

    def test_a_trigger_in_place_of_an_attack_is_told_how_it_becomes_one(self, victim):
        with pytest.raises(ConfigError, match="got Patch; Attack"):
            evaluate(victim, stripes(20), Patch(size=2))  # type: ignore[arg-type]


class TestPrediction:
    def test_has_a_row_for_each_step(self, victim):
        for stage, steps in zip(victim.stages, (1, 8, 6, 5), strict=True):
            found = stage.predict(stripes(7))
            assert found.shape == (steps, 7)
            assert found.dtype == np.int64
            assert set(found.flat) <= {0, 1, 2}
            assert stage.predict(stripes(7), indices=np.array([], dtype=np.int64)).shape == (
                steps,
                0,
            )

    @pytest.mark.parametrize("neuron", [IF(reset="soft"), LIF(), PLIF()], ids=lambda n: n.name)
    @pytest.mark.parametrize(
        "readout",
        [MeanCurrent(), LastMembrane(), MeanRate(neuron=LIF(threshold=0.02))],
        ids=lambda r: r.name,
    )
    def test_after_t_steps_is_that_of_a_run_of_t_steps(self, neuron, readout):
        long = made("direct", neuron, 12, readout=readout)
        whole = long.predict(stripes(60))
        assert len(np.unique(whole, axis=0)) > 1  # time matters
        assert len(np.unique(whole)) > 1
        for steps in (1, 2, 5, 12):
            short = replace(long, steps=steps).predict(stripes(60))
            assert (short == whole[:steps]).all()

    def test_scores_after_t_steps_too(self):
        images = to_floats(stripes(9).batch(np.arange(9)))
        noise = torch.Generator()
        with torch.no_grad():
            long = made("direct", LIF(), 7)
            whole = long.scores(images, noise)
            for steps in (1, 4):
                short = replace(long, steps=steps).scores(images, noise)
                torch.testing.assert_close(short, whole[:steps])

    def test_is_that_of_each_sample_alone(self, victim):
        for name in ("ann", "converted", "direct"):
            whole = victim[name].predict(stripes(30))
            alone = [victim[name].predict(stripes(30), indices=np.array([i])) for i in range(30)]
            assert (np.concatenate(alone, 1) == whole).all()

    def test_crosses_batches_in_order(self):
        stage = made("direct", LIF(threshold=0.3), 600)  # 16 samples a batch
        indices = np.random.default_rng(0).permutation(50)
        assert (stage.predict(stripes(50), indices=indices)[-1] == stage.predict(stripes(50))[-1][
            indices]).all()  # fmt: skip

    def test_of_poisoned_samples_sees_the_trigger(self):
        data, seen = poisoned(stripes(8), rate=1.0), []
        stage = made("ann")
        hook = stage.network.blocks[0].register_forward_hook(lambda m, x, y: seen.append(x[0].data))
        stage.predict(data)
        hook.remove()
        assert (seen[0][:, :, 6:, 6:] == 1).all()

    def test_of_random_encoding_follows_the_seed(self):
        stage = made("direct", IF(threshold=0.4), 3, Poisson())
        first, again, other = (stage.predict(stripes(90), seed) for seed in (1, 1, 2))
        assert (first == again).all()
        assert (first != other).any()

    def test_needs_no_global_generator_and_leaves_the_network(self, victim):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        for stage in victim.stages:
            state = {k: v.clone() for k, v in stage.network.state_dict().items()}
            stage.network.train()
            expected = stage.predict(stripes(20), 1)
            after = stage.network.state_dict()
            assert all(torch.equal(state[key], after[key]) for key in state)
            assert (stage.predict(stripes(20), 1) == expected).all()
        assert torch.equal(torch.get_rng_state(), before)

    def test_in_half_precision_is_much_the_same(self, victim):
        for name in ("ann", "converted"):
            exact = victim[name].predict(stripes(90))[-1]
            rough = victim[name].predict(stripes(90), precision="bf16")[-1]
            assert (exact == rough).mean() > 0.9


def test_floats_are_levels_in_255():
    levels = np.array([0, 51, 255], dtype=np.uint8).reshape(3, 1, 1, 1)
    floats = to_floats(levels)
    assert floats.flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert levels.flatten().tolist() == [0, 51, 255]


class TestBlueprint:
    @pytest.mark.parametrize("neuron", [None, LIF(tau=3.0, surrogate=Triangle(gamma=0.5))])
    @pytest.mark.parametrize("folded", [False, True])
    def test_round_trip(self, neuron, folded):
        blueprint = Blueprint(ResNet(depth=20, width=0.5), (3, 8, 10), CLASSES, neuron, folded)
        plain = json.loads(json.dumps(blueprint.to_dict()))
        assert Blueprint.from_dict(plain) == blueprint

    def test_builds_equal_networks_for_equal_seeds(self):
        blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, LIF())
        assert equal_states(blueprint.build(1), blueprint.build(1))
        assert not equal_states(blueprint.build(1), blueprint.build(2))

    def test_ann_and_snn_start_from_equal_weights(self):
        ann = Blueprint(NETWORK, (1, 8, 8), CLASSES).build(1).state_dict()
        snn = Blueprint(NETWORK, (1, 8, 8), CLASSES, LIF()).build(1).state_dict()
        assert all(torch.equal(snn[key], ann[key]) for key in ann)

    def test_folded_has_no_norms(self):
        network = Blueprint(NETWORK, (1, 8, 8), CLASSES, folded=True).build(1)
        assert all(synapse.norm is None for synapse in network.synapses())
        assert [key for key in network.state_dict() if "norm" in key] == []


def test_a_stage_moves_by_a_new_stage():
    stage = made("direct", LIF(), 3)
    moved = stage.to("cpu")
    assert moved is not stage
    assert moved.device == torch.device("cpu")
    assert (moved.predict(stripes(5)) == stage.predict(stripes(5))).all()
