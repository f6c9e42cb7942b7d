"""What the eliminators that train keep: they change what they return, and nothing else."""

import numpy as np
import pytest
from defence_cases import case

from spikedoor.defences.base import Eliminator
from spikedoor.defences.eliminate import (
    IBAU,
    NAD,
    FinePruning,
    FineTuning,
    SharpnessAwareFineTuning,
)
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.sharpness import AdaptiveSAM
from spikedoor.victim import Stage

METHODS = [FineTuning, FinePruning, NAD, SharpnessAwareFineTuning, IBAU]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


def short(method: type[Eliminator]) -> Eliminator:
    if method is IBAU:
        return IBAU(rounds=1)
    training = method.model_fields["training"].default.model_copy(update={"epochs": 1})
    return method.model_validate({"training": training})


def learned(stage: Stage) -> dict[str, np.ndarray]:
    return {k: v.detach().numpy().copy() for k, v in stage.network.named_parameters()}


@every_method
@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_f1_the_returned_weights_are_the_trained_ones(method, rule, monkeypatch):
    shown = case(rule)
    given = []
    for settings in (Adam, AdaptiveSAM):
        build = settings.build

        def spy(self, parameters, build=build):
            given.append(list(parameters))
            return build(self, given[-1])

        monkeypatch.setattr(settings, "build", spy)
    before = learned(shown.stage)
    made = short(method).repair(shown.stage, shown.defender())
    assert list(map(id, given[-1])) == list(map(id, made.network.parameters()))
    after = learned(made)
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    assert not any(
        a.data_ptr() == b.data_ptr()
        for a in made.network.parameters()
        for b in shown.stage.network.parameters()
    )


@every_method
def test_a_planted_backdoor_is_weakened(method):
    shown = case("direct")
    made = method().repair(shown.stage, shown.defender())
    assert shown.success(made) < shown.success(shown.stage) - 0.05
    assert shown.accuracy(made) > 0.93


def test_training_leaves_a_converted_stage_at_work():
    shown = case("conversion")
    made = FineTuning().repair(shown.stage, shown.defender())
    assert shown.accuracy(made) > shown.accuracy(shown.stage) - 0.02
