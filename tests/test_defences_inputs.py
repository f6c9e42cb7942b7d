"""What all detectors of inputs keep: their false alarms, and everything they are given."""

import numpy as np
import pytest
import torch
from defence_cases import case, weights
from input_cases import clean_only, event_case, shown
from scipy.stats import betabinom, binom

from spikedoor.defences import DEFENCES, Defender, InputDetector
from spikedoor.defences.detect import Consistency, OutputVoltage, Strip, Teco, TemporalDecision
from spikedoor.defences.detect.calibrated import entropy, threshold
from spikedoor.defences.inputs import Inputs
from spikedoor.errors import ConfigError

ON_IMAGES: list[InputDetector] = [
    Strip(overlays=16),
    TemporalDecision(),
    TemporalDecision(measure="decision"),
    Consistency(),
    OutputVoltage(),
    OutputVoltage(curve="margin"),
    OutputVoltage(quantity="spikes"),
    Teco(),
]
ON_RECORDINGS: list[InputDetector] = [
    Strip(overlays=16),
    TemporalDecision(),
    OutputVoltage(),
    *(Consistency(change=c) for c in ("scale", "drop", "shuffle", "reverse", "polarity")),
]
BOTH = [*((m, case) for m in ON_IMAGES), *((m, event_case) for m in ON_RECORDINGS)]

every_detector = pytest.mark.parametrize(
    ("method", "victim"),
    BOTH,
    ids=[f"{'-'.join(map(str, m.to_dict().values()))}-{of.__name__}" for m, of in BOTH],
)


def test_every_detector_of_inputs_is_tested_here():
    known = {name for name in DEFENCES.names() if issubclass(DEFENCES[name], InputDetector)}
    assert {method.name for method, _ in BOTH} == known


def content(inputs: Inputs) -> list[np.ndarray]:
    batch = inputs.batch(np.arange(len(inputs)))
    return [batch] if isinstance(batch, np.ndarray) else [batch.x, batch.y, batch.t, batch.p]


@every_detector
def test_f6_everything_given_is_as_before_and_the_same_comes_out_again(method, victim):
    of = victim()
    inputs, defender = shown(of, 30), of.defender()
    before, weighed = [x.copy() for x in content(inputs)], weights(of.stage)
    state = torch.random.get_rng_state()
    first = method.detect(of.stage, defender, inputs)
    assert all(np.array_equal(a, b) for a, b in zip(before, content(inputs), strict=True))
    assert all(np.array_equal(x, weights(of.stage)[name]) for name, x in weighed.items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.is_grad_enabled()
    assert not of.stage.network.training
    again = method.detect(of.stage, defender, inputs)
    assert np.array_equal(first.scores, again.scores)
    assert first.threshold == again.threshold
    assert len(first.scores) == len(inputs)


@every_detector
def test_an_input_scores_the_same_in_any_company(method, victim):
    of = victim()
    alone = clean_only(of, np.arange(10))
    mixed = Inputs(alone.first, of.triggered, (np.arange(10), np.arange(10)))
    together = method.detect(of.stage, of.defender(), mixed).scores
    np.testing.assert_allclose(
        method.detect(of.stage, of.defender(), alone).scores, together[:10], rtol=1e-4, atol=1e-5
    )


@every_detector
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_false_alarms_on_new_clean_inputs_are_as_rare_as_stated(method, victim, rate):
    """Given the threshold, their number is beta-binomial if the scores are exchangeable."""
    of = victim(rate=rate)
    defender = of.defender()
    known = {
        sample.tobytes()
        for part in (defender.clean, defender.validation)
        for sample in samples_of(part)
    }
    new = [i for i, s in enumerate(samples_of(of.data.train)) if s.tobytes() not in known][:400]
    found = method.detect(of.stage, defender, clean_only(of, np.array(new)))
    n = len(defender.clean) + len(defender.validation)
    k = int(np.ceil((n + 1) * (1 - method.false_positives) - 1e-9))
    assert found.flagged.sum() <= betabinom(len(new), n + 1 - k, k).ppf(1 - 1e-3)


def samples_of(data) -> list[np.ndarray]:
    batch = data.batch(np.arange(len(data)))
    if isinstance(batch, np.ndarray):
        return list(batch)
    return [batch.take(np.array([i])).t for i in range(len(batch))]


def test_threshold_by_hand():
    assert threshold(np.arange(99.0)[::-1], 0.1) == 89
    assert threshold(np.arange(19.0), 0.05) == 18
    with pytest.raises(ConfigError, match=r"expected 19 or more clean samples.*got 18"):
        threshold(np.arange(18.0), 0.05)


def test_threshold_keeps_its_promise_for_few_samples_where_a_quantile_does_not():
    drawn = np.random.default_rng(0).standard_normal((4000, 25))
    alarms = sum(row[-1] > threshold(row[:-1], 0.1) for row in drawn)
    low, high = binom(4000, 2 / 25).ppf([1e-4, 1 - 1e-4])  # the 23rd of 24, so 2 of 25 ranks
    assert low <= alarms <= high < 400
    assert sum(row[-1] > np.quantile(row[:-1], 0.9) for row in drawn) > 400


def test_entropy_by_hand():
    given = np.array([[0.0, 0.0, 0.0, 0.0], [np.log(3), 0, -np.inf, -np.inf], [1e4, 0, 0, -1e4]])
    expected = [np.log(4), -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), 0]
    np.testing.assert_allclose(entropy(given), expected, atol=1e-12)


def test_no_inputs_are_refused():
    of = case()
    with pytest.raises(ConfigError, match="one input or more, got none"):
        Strip().detect(of.stage, of.defender(), clean_only(of, np.zeros(0, np.int64)))


def test_a_defender_with_too_few_samples_is_told_how_many_are_needed():
    of = case()
    few = of.data.train.subset(np.arange(9))
    with pytest.raises(ConfigError, match="19 or more clean samples"):
        TemporalDecision().detect(of.stage, Defender(few, few), shown(of, 5))
