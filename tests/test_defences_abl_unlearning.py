"""ABL unlearning: what is flagged is unlearned, as far as validation allows."""

import numpy as np
import pytest
import torch
from defence_cases import case, weights

from spikedoor.defences import Defender, Detection
from spikedoor.defences.detect import AblIsolation
from spikedoor.defences.eliminate import CLP, AblUnlearning
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.errors import ConfigError


@pytest.fixture
def told(monkeypatch):
    """Let the detector flag what a test says."""

    def tell(flagged: np.ndarray) -> None:
        scores = flagged.astype(float)
        monkeypatch.setattr(AblIsolation, "detect", lambda *_: Detection(scores, 0.5))

    return tell


def poisoned(found) -> np.ndarray:
    return np.isin(np.arange(len(found.train)), found.train.plan.indices)


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_a_right_detector_removes_the_backdoor(rule, told) -> None:
    found = case(rule)
    told(poisoned(found))
    method = AblUnlearning(isolation=AblIsolation())
    made = method.repair(found.stage, found.defender())
    assert made.notes["repair"]["flagged"] == poisoned(found).sum()
    assert found.success(made) < 0.2 < 0.9 < found.success(found.stage)
    assert found.accuracy(made) > found.accuracy(found.stage) - 0.06


def test_a_wrong_detector_does_not_cost_more_than_the_tolerance(told) -> None:
    found = case("direct")
    told(~poisoned(found) & (np.asarray(found.train.labels) == 3))
    method = AblUnlearning(isolation=AblIsolation(), tolerance=0.05)
    defender = found.defender()
    made = method.repair(found.stage, defender)
    before, *course = made.notes["repair"]["validation"]
    assert before == accuracy(found.stage, defender.validation).value
    passed = [value for value in [before, *course] if value >= before - 0.05]
    assert len(passed) < len(course)
    assert accuracy(made, defender.validation).value == passed[-1]


def test_nothing_flagged_is_nothing_unlearned_and_nothing_given_is_changed(told) -> None:
    found = case("direct")
    told(np.zeros(len(found.train), np.bool_))
    before, state = weights(found.stage), torch.get_rng_state()
    method = AblUnlearning(isolation=AblIsolation())
    first, second = (method.repair(found.stage, found.defender()) for _ in range(2))
    assert len(first.notes["repair"]["validation"]) == 1
    assert all(np.array_equal(v, before[k]) for k, v in weights(found.stage).items())
    assert all(np.array_equal(v, before[k]) for k, v in weights(first).items())
    assert all(np.array_equal(v, weights(second)[k]) for k, v in weights(first).items())
    assert torch.equal(torch.get_rng_state(), state)


def test_refuses_a_defender_without_the_training_set_and_other_methods() -> None:
    found = case("direct")
    clean = Defender.of(found.data.train, 0.2)
    with pytest.raises(ConfigError, match="training set"):
        AblUnlearning().repair(found.stage, clean)
    with pytest.raises(ConfigError, match="'clp'"):
        AblUnlearning(isolation=CLP())
