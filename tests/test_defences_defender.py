"""What a defender has."""

import numpy as np
import pytest

from spikedoor.attack import Attack
from spikedoor.attack.triggers import Patch
from spikedoor.data import Digits
from spikedoor.defences.defender import Defender
from spikedoor.errors import ConfigError


def test_the_defenders_samples_are_clean_and_apart():
    data = Digits().load().train
    poisoned = Attack(trigger=Patch(size=2), rate=0.5).poison(data, 0)
    defender = Defender.of(data, 0.2, poisoned, seed=3)
    ours = [x.tobytes() for x in defender.clean.batch(np.arange(len(defender.clean)))]
    held = [x.tobytes() for x in defender.validation.batch(np.arange(len(defender.validation)))]
    clean = {x.tobytes() for x in data.batch(np.arange(len(data)))}
    assert len(ours) + len(held) == int(0.2 * len(data))
    assert set(ours) | set(held) <= clean
    assert not set(ours) & set(held)
    counts = np.bincount(defender.clean.labels)
    assert counts.max() - counts.min() <= 2
    again = Defender.of(data, 0.2, poisoned, seed=3)
    assert np.array_equal(again.clean.labels, defender.clean.labels)


def test_too_few_samples_are_refused():
    with pytest.raises(ConfigError, match="larger share"):
        Defender.of(Digits().load().train, 0.001)
    for share in (-0.1, 0, 20):
        with pytest.raises(ConfigError, match=f"above 0 and at most 1, got {share}"):
            Defender.of(Digits().load().train, share)


def test_without_a_training_set_a_detector_of_one_says_so():
    defender = Defender.of(Digits().load().train, 0.2)
    with pytest.raises(ConfigError, match="'x' needs the training set"):
        defender.training_set("x")
