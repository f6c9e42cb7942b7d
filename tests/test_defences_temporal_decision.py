"""When a decision falls: by hand, against predictions, and which inputs decide early."""

import numpy as np
import pytest
from defence_cases import case
from input_cases import separation, shown

from spikedoor.defences.detect import TemporalDecision
from spikedoor.defences.detect.temporal_decision import decided
from spikedoor.errors import ConfigError


def test_decisions_by_hand():
    said = np.array([[0, 0, 1, 2], [0, 1, 0, 2], [0, 1, 1, 2], [0, 1, 0, 1]])  # steps, inputs
    assert decided(np.eye(3)[said]).tolist() == [1, 2, 4, 4]


def test_decisions_are_those_of_the_predictions():
    of = case("conversion")
    inputs = shown(of, 50)
    found = TemporalDecision(measure="decision").detect(of.stage, of.defender(), inputs)
    said = of.stage.predict(inputs, title=None)
    for i, score in enumerate(found.scores):
        step = int(-score)
        assert (said[step - 1 :, i] == said[-1, i]).all()
        assert step == 1 or said[step - 2, i] != said[-1, i]


@pytest.mark.parametrize("rule", ["conversion", "hybrid"])
@pytest.mark.parametrize("trigger", ["patch", "blended"])
@pytest.mark.parametrize("measure", ["entropy", "decision"])
def test_triggered_inputs_decide_early_and_only_where_there_is_a_backdoor(rule, trigger, measure):
    of, clean = case(rule, trigger), case(rule, rate=0.0)
    inputs, method = shown(of), TemporalDecision(measure=measure)
    found = method.detect(of.stage, of.defender(), inputs)
    assert separation(found, inputs) > 0.7
    assert separation(method.detect(clean.stage, clean.defender(), inputs), inputs) < 0.55


def test_late_is_the_opposite_of_early():
    of = case("hybrid")
    inputs = shown(of, 20)
    early, late = (
        TemporalDecision(suspicious=which).detect(of.stage, of.defender(), inputs)
        for which in ("early", "late")
    )
    assert np.array_equal(early.scores, -late.scores)


def test_an_ann_has_no_time():
    of = case("conversion")
    with pytest.raises(ConfigError, match="2 steps or more, got 'ann' of 1"):
        TemporalDecision().detect(of.victim["ann"], of.defender(), shown(of, 5))
