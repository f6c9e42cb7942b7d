"""Neural Cleanse: triggers by hand, planted backdoors on images and on events, a clean victim."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from defence_cases import case, weights
from event_cases import bands
from rules_cases import NETWORK

from spikedoor.attack import Attack, EventStatic
from spikedoor.data.events import FrameSet, Framing
from spikedoor.defences import Defender
from spikedoor.defences.detect import NeuralCleanse, neural_cleanse
from spikedoor.defences.detect.outliers import critical
from spikedoor.defences.detect.reverse import Counts, Overlay, event_unit
from spikedoor.errors import ConfigError
from spikedoor.rng import torch_generator
from spikedoor.rules import Direct, Training
from spikedoor.rules.optimisers import Adam, Constant
from spikedoor.snn.encoding import Frames, Poisson
from spikedoor.victim import Stage

EVENTS = Direct(
    encoding=Frames(),
    steps=4,
    training=Training(
        epochs=8, batch=16, optimiser=Adam(lr=1e-2), schedule=Constant(), validation=0.0
    ),
)


@cache
def on_events() -> Stage:
    """A victim on recordings whose target, class 1, is reached by a patch of events."""
    attack = Attack(trigger=EventStatic(size=2, rate=100), target=1, rate=0.2)
    return EVENTS.fit(NETWORK, attack.poison(bands(96), seed=0), seed=1).final


def gradients(stage: Stage) -> list[torch.Tensor]:
    """Return copies of what training, or a defence, left behind in the parameters."""
    return [
        torch.zeros(0) if p.grad is None else p.grad.clone() for p in stage.network.parameters()
    ]


def random() -> torch.Generator:
    return torch_generator(0, "test")


def test_a_mask_of_one_replaces_and_of_zero_leaves_the_image():
    overlay = Overlay(2, (1, 2, 2), random())
    mask, pattern = overlay.free
    with torch.no_grad():
        mask[:] = torch.tensor([[100.0, -100.0], [-100.0, 0.0]])
        pattern[:] = 100.0
    images = torch.full((3, 1, 2, 2), 0.5)
    shown = overlay.stamp(images, slice(1, 2))
    assert shown.shape == (1, 3, 1, 2, 2)
    assert torch.allclose(shown, torch.tensor([[1.0, 0.5], [0.5, 0.75]]))
    assert overlay.size().tolist() == [1.5, 1.5]


@pytest.mark.parametrize("prior", ["static", "temporal"])
def test_f16_added_events_are_whole_and_neither_negative_nor_without_bound(prior):
    trigger = Counts(3, (4, 2, 3, 3), prior, 0.4, 5, random())
    with torch.no_grad():
        trigger.free[0].copy_(
            torch.linspace(-9, 9, trigger.free[0].numel()).view_as(trigger.free[0])
        )
    inputs = torch.rand((6, 4, 2, 3, 3), generator=random())
    added = (trigger.stamp(inputs, slice(0, 3)) - inputs)[:, 0] / 0.4
    whole = added.round()
    assert torch.allclose(added, whole, atol=1e-5)
    assert (whole.min(), whole.max()) == (0, 5)
    assert torch.equal(whole.flatten(1).sum(1), trigger.size())
    assert bool((whole == whole[:, :1]).all()) == (prior == "static")


@pytest.mark.parametrize("scale", ["total", "raw"])
@pytest.mark.parametrize("merge", [1, 3])
@pytest.mark.parametrize("constant", [False, True])
def test_the_unit_is_what_one_event_more_adds(scale, merge, constant):
    encoding = Frames(scale=scale, merge=merge, constant=constant)
    shown = Stage("direct", on_events().blueprint, on_events().network, 4, encoding)
    one = bands(1).batch(np.zeros(1, dtype=np.int64))
    x, y, t, p = (np.repeat(values, 2) for values in (one.x, one.y, one.t, one.p))
    both = type(one).of_one(x, y, t, p, one.sensor)
    more = float((shown.prepare(both) - shown.prepare(one)).sum())
    assert more / len(one.x) == pytest.approx(event_unit(shown, bands(1)), rel=1e-5)


@pytest.mark.parametrize("rule", ["direct", "hybrid"])
def test_the_planted_patch_is_found_and_nothing_is_changed(rule):
    planted = case(rule)
    before, grads = weights(planted.stage), gradients(planted.stage)
    state = torch.get_rng_state()
    found = NeuralCleanse().detect(planted.stage, planted.defender())
    assert found.scores.argmax() == 0
    assert found.scores[0] > critical(10)
    assert found.flagged[0]
    norms = found.details["norms"]
    assert norms["0"] < 0.6 * np.median(list(norms.values()))
    assert found.details["success"]["0"] >= 0.98
    assert torch.equal(torch.get_rng_state(), state)
    after = weights(planted.stage)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert all(map(torch.equal, grads, gradients(planted.stage)))


def test_a_clean_victim_is_not_flagged_where_the_index_is_significant():
    clean = case("direct", rate=0.0)
    found = NeuralCleanse(threshold=critical(10)).detect(clean.stage, clean.defender())
    assert not found.flagged.any()


def test_classes_a_few_at_a_time_are_as_all_at_once(monkeypatch):
    victim, quick = case(), NeuralCleanse(steps=3, samples=16)
    together = quick.detect(victim.stage, victim.defender())
    monkeypatch.setattr(neural_cleanse, "_PIXELS", 3 * 4 * 16 * 64)
    apart = quick.detect(victim.stage, victim.defender())
    again = quick.detect(victim.stage, victim.defender())
    assert np.array_equal(apart.scores, again.scores)
    assert apart.scores == pytest.approx(together.scores, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("prior", ["static", "temporal"])
def test_no_more_events_are_found_than_the_planted_trigger_has(prior):
    stage, defender = on_events(), Defender.of(bands(96), share=0.5)
    found = NeuralCleanse(prior=prior, steps=120, samples=32).detect(stage, defender)
    norms = found.details["norms"]
    assert found.details["success"]["middle"] >= 0.98
    assert 0 < norms["middle"] < 4 * 10  # pixels, and events of each in a tenth of a second
    assert all(float(norm).is_integer() for norm in norms.values())
    framed = FrameSet(bands(96), Framing(), 4)
    same = NeuralCleanse(prior=prior, steps=120, samples=32)
    assert same.detect(stage, Defender.of(framed, share=0.5)).details == found.details


def test_what_has_no_gradient_or_does_not_count_is_refused():
    planted = case()
    drawn = replace(planted.stage, encoding=Poisson())
    with pytest.raises(ConfigError, match=r"gradients to the input.*'poisson'"):
        NeuralCleanse().detect(drawn, planted.defender())
    binary = replace(on_events(), encoding=Frames(framing=Framing(value="binary")))
    with pytest.raises(ConfigError, match="count events"):
        NeuralCleanse().detect(binary, Defender.of(bands(96), share=0.5))
