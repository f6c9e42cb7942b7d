"""Faults that peers were found to have, each a test of ours; those of one method are beside it.

F1, F7: test_defences_fine_tuning, _fine_pruning. F3: _ndsbm. F4: _beatrix. F5, F9:
test_metrics_detection. F6: _teco. F8: _spectral_signatures. F14: _clp. F16: the dynamic trigger.
"""

import inspect
import tomllib
from pathlib import Path

import numpy as np
import pytest
from defence_cases import case

from spikedoor.attack import Attack
from spikedoor.attack.triggers import Patch
from spikedoor.data import Digits
from spikedoor.defences import DEFENCES, Defender, Eliminator
from spikedoor.metrics import Answers, attack_success, score
from spikedoor.rules import Direct
from spikedoor.rules.training import Training
from spikedoor.snn.networks import SmallConv


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_f2_as_many_poisoned_samples_as_claimed_each_once_and_none_of_the_target_in_the_test(rate):
    data = Digits().load()
    attack = Attack(trigger=Patch(size=2), target=7, rate=rate)
    plan = attack.poison(data.train, 5).plan
    assert plan.count == int(rate * len(data.train))
    assert len(np.unique(plan.indices)) == plan.count
    assert not (attack.challenge(data.test).true_labels == 7).any()


def test_f10_an_eliminator_is_given_a_stage_and_a_defender_and_a_defender_has_nothing_triggered():
    for name in DEFENCES.names():
        method = DEFENCES[name]
        if issubclass(method, Eliminator):
            assert list(inspect.signature(method.repair).parameters) == [
                "self",
                "stage",
                "defender",
            ], name
    assert set(Defender.__dataclass_fields__) == {"clean", "validation", "train", "seed"}


def test_f11_a_clean_models_success_is_its_rate_of_mistakes_towards_the_target():
    labels = np.repeat(np.arange(10), 10)
    targets = np.zeros(100, np.int64)
    assert attack_success(labels, labels, targets).value == 0.0
    mistaken = labels.copy()
    mistaken[[10, 20, 30]] = 0
    assert attack_success(mistaken, labels, targets).to_dict() == {"successes": 3, "count": 90}


def test_f12_poisoning_holds_no_copy_of_the_data():
    data = Digits().load().train
    poisoned = Attack(trigger=Patch(size=2), rate=0.5).poison(data, 0)
    held = [value for value in vars(poisoned).values() if isinstance(value, np.ndarray)]
    assert poisoned.base is data
    assert not any(array.nbytes >= data.images.nbytes for array in held)


def test_f13_no_number_is_edited_where_accuracy_is_lost():
    labels, targets = np.repeat(np.arange(10), 10), np.zeros(100, np.int64)
    clean = labels.copy()
    clean[:50] = 9  # accuracy falls to a half
    found = score(Answers(clean[None], targets[None]), labels, targets, 10)
    assert found.attack_success.value == 1.0
    everything_is_zero = Answers(targets[None], targets[None])
    flagged = score(everything_is_zero, labels, targets, 10)
    assert flagged.diverged
    assert flagged.attack_success is None


def test_f17_same_seed_same_model_to_the_last_bit():
    data = Digits(train_limit=200).load().train
    rule = Direct(steps=2, training=Training(epochs=1, batch=50))
    first, second = (
        rule.fit(
            SmallConv(width=4), Attack(trigger=Patch(size=2), rate=0.2).poison(data, 3), 3
        ).final.network.state_dict()
        for _ in range(2)
    )
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)


def test_f18_the_licence_file_is_that_of_the_metadata():
    root = Path(__file__).parents[1]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["license"]
    assert declared == "Apache-2.0"
    text = (root / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0" in text


def test_planted_backdoors_are_there_to_be_found_and_clean_victims_are_clean():
    """Without this, every other test of a defence could pass on victims that learned nothing."""
    for rule in ("direct", "conversion", "hybrid"):
        for trigger in ("patch", "blended"):
            planted, clean = case(rule, trigger), case(rule, trigger, rate=0.0)
            assert planted.success(planted.stage) > 0.9
            assert clean.success(clean.stage) < 0.05
            assert min(planted.accuracy(planted.stage), clean.accuracy(clean.stage)) > 0.9
