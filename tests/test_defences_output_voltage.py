"""Distances of output curves: closed forms, another way to the voltage, planted backdoors."""

import numpy as np
import pytest
from defence_cases import case
from input_cases import event_case, separation, shown

from spikedoor.defences.detect import OutputVoltage
from spikedoor.defences.detect.calibrated import simulated
from spikedoor.defences.detect.output_voltage import _Seen, distances, margins
from spikedoor.defences.inputs import Inputs
from spikedoor.errors import ConfigError


def test_margins_by_hand():
    curves = np.array([[[1.0, 3.0, 2.0], [4.0, 0.0, 9.0]], [[5.0, 1.0, 1.0], [2.0, 2.0, 7.0]]])
    assert margins(curves, np.array([2, 0])).tolist() == [[-1, 5], [4, -5]]


def test_distances_are_mahalanobis_distances_from_the_mean_of_the_group():
    random = np.random.default_rng(0)
    mixing = np.array([[2.0, 0, 0], [1, 1, 0], [0, -1, 0.5]])
    centres = np.array([[0.0, 0, 0], [50, -20, 7]])
    group = np.arange(40_000) % 2
    clean = random.standard_normal((40_000, 3)) @ mixing.T + centres[group]
    z = random.standard_normal((100, 3)) * 2
    new = np.arange(100) % 2
    found = distances(_Seen(clean, group), _Seen(z @ mixing.T + centres[new], new))
    np.testing.assert_allclose(found, (z**2).sum(1), rtol=0.05, atol=0.3)
    unknown = np.full(100, 2)
    far = distances(_Seen(clean, group), _Seen(np.tile(clean.mean(0), (100, 1)), unknown))
    np.testing.assert_allclose(far, 0, atol=1e-9)


@pytest.mark.parametrize("curve", ["outputs", "margin"])
def test_voltage_over_time_is_the_mean_current_so_far(curve):
    """Which is what these victims answer by, so predictions give it too."""
    of = case("direct")
    defender, inputs = of.defender(), shown(of, 30)
    found = OutputVoltage(curve=curve, points=99).detect(of.stage, defender, inputs)
    both = defender.clean, defender.validation
    known = Inputs(*both, (np.arange(len(both[0])), np.arange(len(both[1]))))

    def seen(data: Inputs) -> _Seen:
        mean = simulated(of.stage, data).transpose(1, 0, 2)
        said = mean[:, -1].argmax(1)
        if curve == "margin":
            return _Seen(margins(mean, said), np.zeros_like(said))
        return _Seen(mean.reshape(len(mean), -1), said)

    np.testing.assert_allclose(found.scores, distances(seen(known), seen(inputs)), rtol=1e-2)


def test_the_one_point_is_the_last_step_and_an_ann_has_no_other():
    of = case("conversion")
    ann, inputs = of.victim["ann"], shown(of, 30)
    one, all_of_them = (
        OutputVoltage(points=points).detect(ann, of.defender(), inputs).scores for points in (1, 8)
    )
    assert np.array_equal(one, all_of_them)
    last = OutputVoltage(points=1).detect(of.stage, of.defender(), inputs).scores
    later = OutputVoltage(points=16).detect(of.stage, of.defender(), inputs).scores
    assert not np.allclose(last, later)


@pytest.mark.parametrize(("trigger", "curve"), [("patch", "outputs"), ("blended", "margin")])
def test_a_converted_networks_outputs_show_the_trigger(trigger, curve):
    of, clean = case("conversion", trigger), case("conversion", rate=0.0)
    inputs, method = shown(of), OutputVoltage(curve=curve)
    found = separation(method.detect(of.stage, of.defender(), inputs), inputs)
    assert found > 0.85
    assert found > separation(method.detect(clean.stage, clean.defender(), inputs), inputs) + 0.1


def test_outputs_show_events_of_a_trigger():
    of, clean = event_case(), event_case(rate=0.0)
    inputs, method = shown(of), OutputVoltage()
    found = separation(method.detect(of.stage, of.defender(), inputs), inputs)
    assert found > 0.75
    assert found > separation(method.detect(clean.stage, clean.defender(), inputs), inputs) + 0.1


def test_an_ann_has_no_spikes():
    of = case("conversion")
    with pytest.raises(ConfigError, match="'ann' has no spikes; expected quantity"):
        OutputVoltage(quantity="spikes").detect(of.victim["ann"], of.defender(), shown(of, 5))
