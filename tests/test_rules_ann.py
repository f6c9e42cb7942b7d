"""The rule without spikes: it learns, shows the poison, and shares its ANN with other rules."""

import numpy as np
import pytest
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    NETWORK,
    QUICK,
    equal_states,
    one_thread,
    poisoned,
    stripes,
)

from spikedoor.attack import Attack, Patch
from spikedoor.rules import ANN, Conversion, Training
from spikedoor.rules.losses import RateMSE
from spikedoor.snn.rectifiers import ClippedReLU


def decided_by(rule):
    return rule.phases()[0].decided_by


def test_learns_and_poisoning_shows():
    how = QUICK.model_copy(update={"epochs": 12, "validation": 0.0})
    attack = Attack(trigger=Patch(size=2), target=1, rate=0.25)
    test = stripes(60, seed=9)
    challenge = attack.challenge(test)
    hits = {}
    for name, train in (("poisoned", poisoned(stripes(192))), ("clean", stripes(192))):
        (stage,) = ANN(training=how).fit(NETWORK, train).stages
        assert stage.name == "ann"
        assert (stage.predict(test)[-1] == test.labels).mean() > 0.9
        hits[name] = np.mean(stage.predict(challenge)[-1] == 1)
    assert hits["poisoned"] > 0.8 > 0.4 > hits["clean"]


def test_is_the_ann_that_a_conversion_begins_with():
    assert decided_by(ANN(training=QUICK)) == decided_by(Conversion(ann=QUICK))
    alone = ANN(training=QUICK).fit(NETWORK, stripes(48), seed=3).final
    before = Conversion(ann=QUICK, steps=1).fit(NETWORK, stripes(48), seed=3)["ann"]
    assert equal_states(alone.network, before.network)


@pytest.mark.parametrize(
    "fields",
    [{"training": Training(epochs=7)}, {"activation": ClippedReLU()}, {"loss": RateMSE()}],
    ids=lambda fields: next(iter(fields)),
)
def test_every_field_changes_what_decides(fields):
    assert decided_by(ANN(**fields)) != decided_by(ANN())
    if "loss" in fields:
        how = {"training": QUICK}
        one, other = (ANN(**how, **f).fit(NETWORK, stripes(48)).final for f in ({}, fields))
        assert not equal_states(one.network, other.network)
