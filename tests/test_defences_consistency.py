"""Changed inputs against sets of such samples made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from defence_cases import case
from input_cases import event_case, separation, shown

from spikedoor.data import ImageSet
from spikedoor.data.base import SampleSet
from spikedoor.data.events import Events, EventSet
from spikedoor.defences.detect import Consistency
from spikedoor.defences.detect.calibrated import simulated
from spikedoor.errors import ConfigError
from spikedoor.snn.encoding import Frames
from spikedoor.victim import Stage


def chances(stage: Stage, data: SampleSet, of: np.ndarray) -> np.ndarray:
    z = simulated(stage, data)[-1]
    return (np.exp(z) / np.exp(z).sum(1, keepdims=True))[np.arange(len(of)), of]


def test_scaled_images_are_clipped_ones():
    of = case()
    inputs = shown(of, 10)
    images, said = inputs.batch(np.arange(20)), of.stage.predict(inputs, title=None)[-1]
    expected = np.zeros(20)
    for factor in (2, 6):
        scaled = np.minimum(images.astype(int) * factor, 255).astype(np.uint8)
        data = ImageSet(scaled, np.zeros(20, np.int64), inputs.classes, "scaled")
        expected += chances(of.stage, data, said) / 2
    found = Consistency(factors=(2, 6)).detect(of.stage, of.defender(), inputs)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4, atol=1e-6)


def backwards(events: Events) -> Events:
    """Play recordings of 60 events each from end to start: 15 of them fall into each frame."""
    each = [getattr(events, name).reshape(-1, 60)[:, ::-1] for name in ("x", "y", "t", "p")]
    each[2] = each[2].max(1, keepdims=True) - each[2]
    return Events(*(np.ascontiguousarray(c).ravel() for c in each), events.offsets, events.sensor)


def swapped(events: Events) -> Events:
    return replace(events, p=1 - events.p)


@pytest.mark.parametrize(("change", "by_hand"), [("reverse", backwards), ("polarity", swapped)])
def test_recordings_are_changed_as_if_their_events_were(change, by_hand):
    of = event_case()
    test = of.data.test
    assert isinstance(test, EventSet)
    found = Consistency(change=change).detect(of.stage, of.defender(), test)
    said = of.stage.predict(test, title=None)[-1]
    data = replace(test, events=by_hand(test.events))
    np.testing.assert_allclose(found.scores, chances(of.stage, data, said), rtol=1e-4, atol=1e-6)


def test_all_frames_kept_change_nothing_and_fewer_do():
    of = event_case()
    test = of.data.test
    own = chances(of.stage, test, of.stage.predict(test, title=None)[-1])
    all_of_them, half = (
        Consistency(change="drop", kept=kept).detect(of.stage, of.defender(), test).scores
        for kept in (0.99, 0.5)
    )
    np.testing.assert_allclose(all_of_them, own, rtol=1e-5)
    assert not np.allclose(half, own, rtol=1e-2)


def test_inconsistent_is_the_opposite():
    of = event_case()
    inputs, defender = shown(of, 9), of.defender()
    one, other = (
        Consistency(change="shuffle", suspicious=which).detect(of.stage, defender, inputs)
        for which in ("consistent", "inconsistent")
    )
    assert np.array_equal(one.scores, -other.scores)


def test_another_polarity_takes_a_trigger_of_on_events_away():
    of = event_case()
    inputs = shown(of)
    method = Consistency(change="polarity", suspicious="inconsistent")
    assert separation(method.detect(of.stage, of.defender(), inputs), inputs) > 0.8


@pytest.mark.parametrize("change", ["drop", "shuffle", "reverse", "polarity"])
def test_images_have_no_time_and_no_polarity(change):
    of = case()
    with pytest.raises(ConfigError, match='expected change = "scale"'):
        Consistency(change=change).detect(of.stage, of.defender(), shown(of, 5))


@pytest.mark.parametrize("change", ["drop", "shuffle", "reverse"])
def test_one_frame_for_all_steps_cannot_be_put_in_another_order(change):
    of = event_case()
    constant = replace(of.stage, encoding=Frames(constant=True))
    with pytest.raises(ConfigError, match="shows 2 frames or more"):
        Consistency(change=change).detect(constant, of.defender(), shown(of, 5))


@pytest.mark.parametrize("factors", [[], [3.0, 0.0]])
def test_factors_are_above_zero(factors):
    with pytest.raises(ConfigError, match="one factor or more, all above 0"):
        Consistency(factors=factors)
