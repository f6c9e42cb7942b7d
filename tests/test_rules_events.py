"""All rules on recordings: they learn, triggers show, and a piece of a run is the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from event_cases import SENSOR, bands
from rules_cases import NETWORK, QUICK, one_thread  # noqa: F401 (one_thread is a fixture)

from spikedoor.attack import Attack, EventStatic
from spikedoor.data.events import FrameSet, Framing
from spikedoor.errors import ConfigError
from spikedoor.rules import ANN, Conversion, Direct, Hybrid, Rule, Training
from spikedoor.rules.conversion import Percentile
from spikedoor.rules.optimisers import Adam, Constant, Flip
from spikedoor.snn.encoding import Frames
from spikedoor.snn.neurons import LIF
from spikedoor.victim import Stage, Victim, activity

LONG = Training(epochs=12, batch=16, optimiser=Adam(lr=1e-2), schedule=Constant(), validation=0.0)
TRAIN, TEST = bands(96), bands(60, seed=1)
CONVERTER = Percentile(p=99.9, initial=0.5)
RULES: dict[str, Rule] = {
    "ann": ANN(encoding=Frames(), training=LONG),
    "direct": Direct(encoding=Frames(), steps=5, training=LONG),
    "conversion": Conversion(
        encoding=Frames(constant=True), steps=16, ann=LONG, converter=CONVERTER
    ),
    "hybrid": Hybrid(
        encoding=Frames(), steps=5, ann=LONG, converter=CONVERTER,
        finetune=LONG.model_copy(update={"epochs": 4}),
    ),
}  # fmt: skip
ATTACK = Attack(trigger=EventStatic(size=2, rate=100), target=0, rate=0.2)


def right(stage: Stage) -> float:
    return float(np.mean(stage.predict(TEST, title=None)[-1] == TEST.labels))


@pytest.mark.parametrize("name", RULES)
def test_learn_bands_and_the_trigger(name, tmp_path):
    poisoned = ATTACK.poison(TRAIN, seed=0)
    victim = RULES[name].fit(NETWORK, poisoned, seed=1)
    assert right(victim.final) > 0.9
    challenge = ATTACK.challenge(TEST)
    assert np.mean(victim.final.predict(challenge, title=None)[-1] == 0) > 0.9
    loaded = Victim.load(victim.save(tmp_path / "victim"))
    for stage, again in zip(victim.stages, loaded.stages, strict=True):
        assert stage.blueprint.shape == (2, *SENSOR)
        assert again.encoding == stage.encoding
        assert np.array_equal(again.predict(TEST, title=None), stage.predict(TEST, title=None))


def test_a_clean_network_does_not_know_the_trigger():
    victim = RULES["direct"].fit(NETWORK, TRAIN, seed=1)
    assert np.mean(victim.final.predict(ATTACK.challenge(TEST), title=None)[-1] == 0) < 0.5


def test_thresholds_are_found_on_what_the_ann_is_shown():
    seen: list[torch.Tensor] = []
    rule = RULES["conversion"].model_copy(update={"calibration_samples": 96, "ann": QUICK})
    ann = rule.fit(NETWORK, TRAIN).stages[0]
    list(rule._calibration_images(ann, TRAIN, 0, seen))
    found = torch.cat(seen).numpy()
    total = Framing().frames(TRAIN.batch(np.arange(96)), 1)[:, 0] * np.float32(0.1)
    order = np.lexsort(found.reshape(96, -1).T)
    np.testing.assert_allclose(found[order], total[np.lexsort(total.reshape(96, -1).T)], rtol=1e-6)


@pytest.mark.parametrize("encoding", [Frames(), Frames(constant=True)])
def test_pieces_say_what_the_whole_says(encoding):
    neuron = LIF(threshold=0.2)
    rule = Direct(encoding=encoding, steps=10, training=QUICK, neuron=neuron)
    stage = rule.fit(NETWORK, TRAIN).final
    inputs = stage.prepare(TEST.batch(np.arange(9)))
    with torch.no_grad():
        whole = stage.scores(inputs, torch.Generator())
    assert whole.std(0).max() > 0.01
    pieces = stage.simulate(inputs, torch.Generator())
    assert torch.allclose(pieces, whole, atol=1e-5)
    rates = activity(stage, TEST, samples=12)
    assert rates.by_sample.shape == (10, 12)
    assert 0 < rates.by_layer.mean() < 1


def test_recordings_and_the_same_frames_give_the_same_network():
    rule = Direct(encoding=Frames(), steps=5, training=QUICK)
    ready = FrameSet(TRAIN, Framing(), 5)
    stages = [rule.fit(NETWORK, data, seed=3).final for data in (TRAIN, ready)]
    states = [stage.network.state_dict() for stage in stages]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_frames_of_other_shapes_make_other_networks():
    framing = Framing(downsample=1, value="signed")
    rule = Direct(encoding=Frames(framing=framing), steps=2, training=QUICK)
    stage = rule.fit(NETWORK, TRAIN).final
    assert stage.blueprint.shape == (1, *SENSOR)
    assert stage.predict(TEST, title=None).shape == (2, len(TEST))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Direct(), "'direct' takes images, but 'bands' holds events"),
        (Conversion(encoding="poisson"), "'poisson' takes images"),
        (Hybrid(encoding=Frames(), finetune=Training(augment=(Flip(),))), "augmentations.* flip"),
    ],
)
def test_what_does_not_go_with_recordings_is_refused_before_training(rule, told, monkeypatch):
    monkeypatch.setattr("spikedoor.rules.training.train", None)
    with pytest.raises(ConfigError, match=told):
        rule.fit(NETWORK, TRAIN)


def test_an_ann_draws_no_spikes():
    with pytest.raises(ConfigError, match="expected encoding = 'direct', got 'poisson'"):
        ANN(encoding="poisson")


def test_what_an_ann_is_shown_is_a_setting_for_recordings_alone():
    of_images = Conversion(encoding="poisson").phases()[0].decided_by
    assert set(of_images) == {"training", "activation"}
    assert RULES["conversion"].phases()[0].decided_by["encoding"] == Frames().to_dict()
