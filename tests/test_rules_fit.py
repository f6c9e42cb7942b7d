"""The three rules: what they return, learn, share and leave alone."""

import copy
import os
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    NETWORK,
    QUICK,
    Watched,
    equal_states,
    fingerprint,
    one_thread,
    poisoned,
    stripes,
)

from spikedoor.attack import PoisonedSet
from spikedoor.data import Digits
from spikedoor.rules import Conversion, Direct, Hybrid, Rule, Training, train_ann
from spikedoor.rules.conversion import Max, ScaledMax
from spikedoor.rules.losses import SpikeCount
from spikedoor.rules.optimisers import Adam, Constant, Crop, Flip
from spikedoor.rules.training import train
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.neurons import IF, LIF, PLIF
from spikedoor.snn.readout import LastMembrane, MeanRate
from spikedoor.snn.surrogate import Triangle
from spikedoor.victim import Victim, to_floats

RANDOM = QUICK.model_copy(update={"epochs": 1, "augment": (Flip(), Crop(pad=1))})
"""Settings in which everything that can be random is."""

RULES = {
    "direct": Direct(training=RANDOM, encoding=Poisson(), neuron=PLIF()),
    "conversion": Conversion(ann=RANDOM, steps=4, encoding=Poisson(), calibration_samples=20),
    "hybrid": Hybrid(ann=RANDOM, finetune=RANDOM, encoding=Poisson(), calibration_samples=20),
}

every_rule = pytest.mark.parametrize("name", RULES)

PRINT_FINGERPRINTS = """
import torch
torch.set_num_threads(1)
from test_rules_fit import NETWORK, RULES, fingerprint, poisoned, stripes
for rule in RULES.values():
    print(fingerprint(rule.fit(NETWORK, poisoned(stripes(48)), seed=3)))
"""


def accuracy(victim: Victim, data, stage: str) -> float:
    return float(np.mean(victim[stage].predict(data)[-1] == data.labels))


@dataclass(frozen=True, eq=False)
class Spied(PoisonedSet):
    """A poisoned set that writes down the batches drawn from it."""

    drawn: list[int] = field(default_factory=list)

    def batch(self, indices):
        self.drawn.append(len(indices))
        return super().batch(indices)


class TestReproducibility:
    def test_equal_in_this_and_two_new_processes(self):
        runs = [
            subprocess.Popen(
                [sys.executable, "-c", PRINT_FINGERPRINTS],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "PYTHONHASHSEED": hashes,
                    "OMP_NUM_THREADS": "1",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for hashes in ("1", "2")
        ]
        here = [
            fingerprint(rule.fit(NETWORK, poisoned(stripes(48)), seed=3)) for rule in RULES.values()
        ]
        for run in runs:
            printed, errors = run.communicate(timeout=120)
            assert run.returncode == 0, errors
            assert printed.split() == here

    @every_rule
    def test_other_seed_other_victim(self, name):
        prints = {fingerprint(RULES[name].fit(NETWORK, stripes(48), seed)) for seed in (1, 2)}
        assert len(prints) == 2

    def test_the_seed_decides_on_more_than_the_first_weights(self):
        stages = [RULES["direct"].fit(NETWORK, stripes(48), 1)["direct"] for _ in range(2)]
        for seed, stage in enumerate(stages):
            train(stage, stripes(48), RULES["direct"].loss, RANDOM, seed)
        assert not equal_states(stages[0].network, stages[1].network)

    @every_rule
    def test_global_generators_stay_where_they_are(self, name):
        torch.manual_seed(11)
        np.random.seed(11)  # noqa: NPY002 (the global state is what is looked at)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
        victim = RULES[name].fit(NETWORK, stripes(48))
        victim.final.predict(stripes(9))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002

    @every_rule
    def test_and_do_not_matter(self, name):
        prints = set()
        for seed in (1, 2):
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            prints.add(fingerprint(RULES[name].fit(NETWORK, stripes(48))))
        assert len(prints) == 1


class TestDirect:
    def test_learns_digits(self):
        data = Digits().load()
        settings = Training(epochs=2, batch=32, optimiser=Adam(lr=1e-2), schedule=Constant())
        victim = Direct(training=settings, steps=3).fit(SmallConv(width=8), data.train)
        assert accuracy(victim, data.test, "direct") > 0.5

    def test_spike_counts_come_to_what_the_loss_wants(self):
        rule = Direct(
            training=QUICK.model_copy(update={"epochs": 8}),
            readout=MeanRate(),
            loss=SpikeCount(true_rate=0.75, false_rate=0.0),
            steps=8,
        )
        data = stripes()
        stage = rule.fit(NETWORK, data).final
        images = to_floats(data.batch(np.arange(len(data))))
        rates = stage.scores(images, torch.Generator())[-1].detach().numpy()
        of_label = rates[np.arange(len(data)), data.labels]
        assert of_label.mean() == pytest.approx(0.75, abs=0.1)
        assert (rates.sum(1) - of_label).mean() < 0.2

    def test_learns_a_planted_backdoor_beside_the_task(self):
        data = poisoned(stripes(), rate=0.3, target=2)
        settings = QUICK.model_copy(update={"epochs": 8})
        rule = Direct(training=settings, neuron=LIF(threshold=0.3))
        right = rule.fit(SmallConv(width=8), data).final.predict(data)[-1] == data.labels
        assert right[data.poisoned].mean() > 0.9
        assert right[~data.poisoned].mean() > 0.9

    def test_its_stage_is_what_was_asked_for(self):
        rule = Direct(training=RANDOM, steps=3, neuron=PLIF(tau=3.0), readout=LastMembrane())
        stage = rule.fit(NETWORK, stripes(48)).final
        assert (stage.name, stage.steps, stage.readout) == ("direct", 3, LastMembrane())
        assert stage.blueprint.neuron == PLIF(tau=3.0)
        assert not stage.blueprint.folded
        assert len(stage.notes["training"]["epochs"]) == 1
        assert stage.notes["seconds"] == stage.notes["training"]["seconds"] > 0

    def test_ignores_an_ann(self):
        ann = train_ann(NETWORK, stripes(48), RANDOM, seed=9)
        alone = Direct(training=RANDOM).fit(NETWORK, stripes(48))
        beside = Direct(training=RANDOM).fit(NETWORK, stripes(48), ann=ann)
        assert fingerprint(alone) == fingerprint(beside)


class TestConversion:
    def test_needs_no_training_of_the_spiking_network(self):
        data = stripes()
        settings = QUICK.model_copy(update={"epochs": 5})
        victim = Conversion(ann=settings, converter=Max(), steps=64).fit(NETWORK, data)
        assert [stage.name for stage in victim.stages] == ["ann", "converted"]
        assert accuracy(victim, data, "ann") > 0.9
        same = victim["ann"].predict(data)[-1] == victim["converted"].predict(data)[-1]
        assert same.mean() > 0.95

    def test_its_stages_are_what_was_asked_for(self):
        rule = Conversion(ann=RANDOM, steps=5, readout=LastMembrane(), encoding=Poisson())
        ann, converted = rule.fit(NETWORK, stripes(48)).stages
        assert (ann.steps, ann.blueprint.neuron, ann.blueprint.folded) == (1, None, False)
        assert (converted.steps, converted.encoding) == (5, Poisson())
        assert converted.readout == LastMembrane()
        assert (converted.blueprint.neuron, converted.blueprint.folded) == (IF(reset="soft"), True)
        thresholds = [
            float(value)
            for key, value in converted.network.state_dict().items()
            if key.endswith("threshold")
        ]
        assert converted.notes["thresholds"] == thresholds
        assert "training" not in converted.notes
        assert "training" in ann.notes

    @pytest.mark.parametrize(("asked", "drawn"), [(20, [20]), (130, [128, 2]), (999, [128, 22])])
    def test_draws_as_many_calibration_images_as_asked_for_or_there_are(self, asked, drawn):
        ann = train_ann(NETWORK, stripes(48), RANDOM, 0)
        data = Watched(stripes(150))
        Conversion(calibration_samples=asked).fit(NETWORK, data, ann=ann)
        assert [len(batch) for batch in data.drawn] == drawn
        chosen = np.concatenate(data.drawn)
        assert len(set(chosen)) == len(chosen)

    def test_calibration_follows_the_seed(self):
        ann = train_ann(NETWORK, stripes(48), RANDOM, 0)
        rule = Conversion(calibration_samples=5, converter=Max())
        found = [rule.fit(NETWORK, stripes(48), seed, ann=ann).final.notes for seed in (1, 1, 2)]
        assert found[0]["thresholds"] == found[1]["thresholds"] != found[2]["thresholds"]


class TestHybrid:
    def test_finetuning_mends_a_poor_conversion(self):
        data = stripes()
        rule = Hybrid(
            ann=QUICK.model_copy(update={"epochs": 5}),
            converter=ScaledMax(factor=1.0),
            steps=2,
            finetune=QUICK.model_copy(update={"epochs": 6}),
        )
        victim = rule.fit(NETWORK, data)
        assert [stage.name for stage in victim.stages] == ["ann", "converted", "finetuned"]
        assert accuracy(victim, data, "converted") < accuracy(victim, data, "finetuned")
        assert accuracy(victim, data, "finetuned") > 0.9

    def test_finetuning_starts_at_the_converted_network_and_leaves_it_alone(self):
        victim = Hybrid(ann=RANDOM, finetune=Training(epochs=0)).fit(NETWORK, stripes(48))
        assert equal_states(victim["converted"].network, victim["finetuned"].network)
        found = victim["converted"].predict(stripes()), victim["finetuned"].predict(stripes())
        assert (found[0] == found[1]).all()
        trained = Hybrid(ann=RANDOM, finetune=RANDOM).fit(NETWORK, stripes(48))
        assert equal_states(victim["converted"].network, trained["converted"].network)
        assert not equal_states(trained["converted"].network, trained["finetuned"].network)

    @pytest.mark.parametrize("calibration", ["poisoned", "clean"])
    @pytest.mark.parametrize("finetune_on", ["poisoned", "clean"])
    def test_a_clean_stage_draws_nothing_poisoned(self, calibration, finetune_on):
        ann = train_ann(NETWORK, stripes(48), RANDOM, 0)
        data = poisoned(stripes(48))
        spied = Spied(data.base, data.plan, data.trigger)
        Hybrid(
            finetune=RANDOM,
            calibration_samples=20,
            calibration=calibration,
            finetune_on=finetune_on,
        ).fit(NETWORK, spied, ann=ann)
        expected = [20] * (calibration == "poisoned")
        expected += [16, 16, 12, 4] * (finetune_on == "poisoned")
        assert spied.drawn == expected

    @pytest.mark.parametrize("name", ["conversion", "hybrid"])
    def test_clean_stages_of_a_poisoned_set_are_those_of_the_clean_set(self, name):
        ann = train_ann(NETWORK, stripes(48), RANDOM, 0)
        clean = {"calibration": "clean"} | ({"finetune_on": "clean"} if name == "hybrid" else {})
        rule = RULES[name].model_copy(update=clean)
        data = poisoned(stripes(48), rate=0.5)
        found = rule.fit(NETWORK, data, ann=ann)
        assert fingerprint(found) == fingerprint(rule.fit(NETWORK, data.clean, ann=ann))
        assert fingerprint(found) != fingerprint(RULES[name].fit(NETWORK, data, ann=ann))

    def test_finetuned_with_the_surrogate_asked_for(self):
        stage = Hybrid(ann=RANDOM, finetune=RANDOM, surrogate=Triangle(gamma=0.7)).fit(
            NETWORK, stripes(48)
        )["finetuned"]
        assert stage.blueprint.neuron == IF(reset="soft", surrogate=Triangle(gamma=0.7))
        assert stage.blueprint.folded


class TestSharedAnn:
    @pytest.mark.parametrize("name", ["conversion", "hybrid"])
    def test_gives_the_victim_that_training_it_gives(self, name):
        data, rule = poisoned(stripes(48)), RULES[name]
        ann = train_ann(NETWORK, data, rule.ann, seed=4)
        alone, shared = rule.fit(NETWORK, data, seed=4), rule.fit(NETWORK, data, seed=4, ann=ann)
        assert fingerprint(alone) == fingerprint(shared)
        assert shared["ann"] is ann

    @every_rule
    def test_is_not_changed(self, name):
        ann = train_ann(NETWORK, stripes(48), RANDOM, seed=4)
        before = copy.deepcopy(ann.network)
        RULES[name].fit(NETWORK, stripes(48), ann=ann)
        assert equal_states(before, ann.network)
        assert not ann.network.training

    def test_serves_converters_in_any_order(self):
        ann = train_ann(NETWORK, stripes(48), RANDOM, seed=4)
        rules: list[Rule] = [Conversion(converter=Max()), Conversion(converter=ScaledMax())]
        first = [fingerprint(rule.fit(NETWORK, stripes(48), ann=ann)) for rule in rules]
        second = [fingerprint(rule.fit(NETWORK, stripes(48), ann=ann)) for rule in rules[::-1]]
        assert first == second[::-1]
