"""The published hybrids as settings of one rule, and what fine-tuning learns besides weights."""

from functools import cache

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    NETWORK,
    QUICK,
    fingerprint,
    one_thread,
    poisoned,
    stripes,
)
from victim_cases import spiking

from spikedoor.rules import Hybrid, Training, train_ann
from spikedoor.rules.conversion import QCFS, ScaledMax, SpikeNorm
from spikedoor.snn.neurons import IF, PLIF
from spikedoor.snn.readout import LastMembrane
from spikedoor.snn.surrogate import Linear, Triangle
from spikedoor.victim import Stage, Victim

ANN = QUICK.model_copy(update={"epochs": 5})
UNTOUCHED = Training(epochs=0)

RATHI = {
    "name": "hybrid",
    "converter": {"name": "spike-norm", "reset": "soft", "scale": 0.7, "steps": 50},
    "readout": "last-membrane",
    "surrogate": "linear",
    "encoding": "poisson",
    "steps": 20,
    "finetune": {
        "epochs": 3,
        "batch": 16,
        "optimiser": {"name": "adam", "lr": 3e-3, "amsgrad": True, "weight_decay": 5e-4},
    },
}
DIET = {
    "name": "hybrid",
    "converter": {"name": "percentile", "p": 99.7},
    "learn_threshold": True,
    "learn_leak": True,
    "surrogate": "linear",
    "steps": 5,
}
ROBUST = {
    "name": "hybrid",
    "converter": {"name": "scaled-max", "factor": 0.3},
    "learn_threshold": True,
    "surrogate": "triangle",
    "steps": 8,
}
FROM_QCFS = {"name": "hybrid", "activation": "qcfs", "converter": "qcfs"}
PUBLISHED = {"rathi": RATHI, "diet-snn": DIET, "robust": ROBUST, "qcfs": FROM_QCFS}

published = pytest.mark.parametrize("name", PUBLISHED)


def rule(name: str, **fields: object) -> Hybrid:
    made = Hybrid.from_dict(PUBLISHED[name])
    finetune = made.finetune if name == "rathi" else QUICK
    return made.model_copy(update={"ann": ANN, "finetune": finetune, **fields})


def accuracy(stage: Stage) -> float:
    return float(np.mean(stage.predict(stripes())[-1] == stripes().labels))


def thresholds(stage: Stage) -> list[float]:
    return [layer.threshold_in_force for layer in spiking(stage)]


@published
def test_learns_the_task(name):
    victim = rule(name).fit(NETWORK, stripes())
    assert [stage.name for stage in victim.stages] == ["ann", "converted", "finetuned"]
    assert accuracy(victim.final) > 0.9
    assert np.isfinite(victim.final.notes["thresholds"]).all()
    assert victim.final.notes["thresholds"] == pytest.approx(thresholds(victim.final))


@published
def test_comes_back_from_a_file_with_all_that_it_learned(name, tmp_path):
    final = rule(name, ann=QUICK).fit(NETWORK, stripes(48)).final
    loaded = Victim.load(Victim((final,)).save(tmp_path / "victim")).final
    assert loaded.blueprint == final.blueprint
    assert thresholds(loaded) == thresholds(final)
    assert (loaded.predict(stripes()) == final.predict(stripes())).all()


@published
def test_equal_seeds_give_equal_weights(name):
    ann = train_ann(NETWORK, stripes(48), QUICK, 1, activation=rule(name).activation)
    prints = [
        fingerprint(rule(name).fit(NETWORK, poisoned(stripes(48)), seed, ann=ann))
        for seed in (1, 1, 2)
    ]
    assert prints[0] == prints[1] != prints[2]


class TestRathi:
    def test_has_every_part_of_the_released_code(self):
        final = rule("rathi", ann=UNTOUCHED, finetune=UNTOUCHED).fit(NETWORK, stripes(48)).final
        assert final.blueprint.neuron == IF(reset="soft", surrogate=Linear(gamma=0.3))
        assert final.readout == LastMembrane(tau=None)
        assert rule("rathi").converter == SpikeNorm(reset="soft", scale=0.7, steps=50)

    @pytest.mark.parametrize("on", ["clean", "poisoned"])
    def test_origin_and_poison_enhanced(self, on):
        data = poisoned(stripes(48), rate=0.5)
        ann = train_ann(NETWORK, data, QUICK, 0)
        made = rule("rathi", finetune_on=on, calibration="clean")
        found = made.fit(NETWORK, data, ann=ann)
        clean = made.fit(NETWORK, data.clean, ann=ann)
        assert (fingerprint(found) == fingerprint(clean)) == (on == "clean")


@cache
def shared_ann() -> Stage:
    return train_ann(NETWORK, stripes(), ANN, 0)


class TestLearned:
    @pytest.mark.parametrize("threshold", [True, False])
    @pytest.mark.parametrize("leak", [True, False])
    def test_is_what_was_asked_for_and_nothing_else(self, threshold, leak):
        made = rule("diet-snn", learn_threshold=threshold, learn_leak=leak)
        victim = made.fit(NETWORK, stripes(), ann=shared_ann())
        before, after = thresholds(victim["converted"]), thresholds(victim.final)
        assert (before != after) == threshold
        kept = victim.final.notes["membrane_kept"]
        assert all((keep != 1) == leak for keep in kept)
        assert (len(set(kept)) > 1) == leak
        neuron = victim.final.blueprint.neuron
        assert isinstance(neuron, PLIF if leak else IF)
        assert neuron.learn_threshold == threshold
        names = {key.rsplit(".")[-1] for key, _ in victim.final.network.named_parameters()}
        asked = {"stretch": threshold, "leak": leak}
        assert names - {"weight", "bias"} == {name for name, on in asked.items() if on}

    def test_thresholds_alone_start_at_the_converted_network(self):
        made = rule("diet-snn", learn_leak=False, finetune=UNTOUCHED)
        victim = made.fit(NETWORK, stripes(), ann=shared_ann())
        found = [victim[name].predict(stripes()) for name in ("converted", "finetuned")]
        assert (found[0] == found[1]).all()

    def test_leak_starts_at_next_to_none(self):
        victim = rule("diet-snn", finetune=UNTOUCHED).fit(NETWORK, stripes(), ann=shared_ann())
        assert victim.final.notes["membrane_kept"] == pytest.approx([0.99] * 3)
        found = [victim[name].predict(stripes()) for name in ("converted", "finetuned")]
        assert (found[0] == found[1]).mean() > 0.9

    def test_spikes_stay_as_high_as_they_were(self):
        victim = rule("diet-snn").fit(NETWORK, stripes(), ann=shared_ann())
        for before, after in zip(spiking(victim["converted"]), spiking(victim.final), strict=True):
            assert torch.equal(before.amplitude, after.amplitude)


def test_robust_conversion_starts_at_three_tenths_of_the_largest_activation():
    ann = train_ann(NETWORK, stripes(48), QUICK, 0)
    largest, scaled = (
        rule("robust", converter=ScaledMax(factor=factor), finetune=UNTOUCHED)
        .fit(NETWORK, stripes(48), ann=ann)
        .final
        for factor in (1.0, 0.3)
    )
    expected = [0.3 * threshold for threshold in thresholds(largest)]
    assert thresholds(scaled) == pytest.approx(expected)
    assert scaled.blueprint.neuron == IF(
        reset="soft", surrogate=Triangle(gamma=1.0), learn_threshold=True
    )


class TestFromQcfs:
    @pytest.mark.parametrize("learned", [True, False])
    def test_membranes_start_at_half_the_threshold_before_and_after(self, learned):
        victim = rule("qcfs", learn_threshold=learned).fit(NETWORK, stripes(48))
        assert isinstance(rule("qcfs").converter, QCFS)
        for name in ("converted", "finetuned"):
            for layer in spiking(victim[name]):
                d = layer.dynamics()
                assert d.initial == pytest.approx(d.threshold / 2)
                assert d.threshold > 0

    def test_without_epochs_it_is_the_converted_network(self):
        victim = rule("qcfs", finetune=UNTOUCHED).fit(NETWORK, stripes(48))
        found = [victim[name].predict(stripes()) for name in ("converted", "finetuned")]
        assert (found[0] == found[1]).all()
