"""TMPBD: margins of linear models in closed form, p values of a law that is known, planted ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from defence_cases import case, weights
from scipy import stats
from torch import nn

from spikedoor.defences.detect import TMPBD
from spikedoor.defences.detect.tmpbd import critical_level, p_values
from spikedoor.errors import ConfigError
from spikedoor.snn.blocks import Flatten, Head
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.networks import Network, SmallConv
from spikedoor.victim import Blueprint, Stage


def test_the_margin_of_a_linear_model_is_found():
    planted, head = case(), Head(64, 2)
    nn.init.normal_(head.layer.weight, generator=torch.Generator().manual_seed(0))
    nn.init.constant_(head.layer.bias, 0.25)
    blueprint = Blueprint(SmallConv(), (1, 8, 8), ("a", "b"))
    stage = Stage("ann", blueprint, Network([Flatten()], head))
    found = TMPBD().detect(stage, planted.defender()).details["margins"]
    ahead = (head.layer.weight[0] - head.layer.weight[1]).detach()
    expected = {"a": ahead.clamp(min=0).sum(), "b": (-ahead).clamp(min=0).sum()}
    assert found == pytest.approx({name: float(x) for name, x in expected.items()}, rel=1e-5)


def test_p_values_are_of_the_gamma_law_of_all_but_the_largest():
    law = stats.gamma(8, scale=0.5)
    margins = np.append(law.ppf((np.arange(2000) + 0.5) / 2000), law.isf(2e-5))
    found = p_values(margins)
    assert found[-1] == pytest.approx(1 - law.cdf(margins[-1]) ** 2001, rel=0.1)
    assert found.argmin() == len(margins) - 1
    assert (np.diff(found[np.argsort(margins)]) <= 0).all()


@pytest.mark.parametrize("shape", [3, 300])
def test_one_in_twenty_models_of_one_law_is_below_the_critical_level(shape):
    drawn = np.random.default_rng(0).gamma(shape, size=(1500, 10))
    smallest = np.array([p_values(margins).min() for margins in drawn])
    assert (smallest < critical_level(10)).mean() == pytest.approx(0.05, abs=0.02)
    assert (smallest < 0.05).mean() == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("margins", [[1.0] * 10, [-1.0, -2.0, -3.0], [1.0, 1.0, 50.0], [1.0, 2.0]])
def test_p_values_of_odd_margins_are_probabilities(margins):
    found = p_values(np.array(margins))
    assert ((found > 0) & (found <= 1)).all()
    assert found.argmin() == np.argmax(margins)


def test_the_planted_target_has_the_largest_margin_and_nothing_is_changed():
    planted = case("conversion")
    before, state = weights(planted.stage), torch.get_rng_state()
    found = TMPBD().detect(planted.stage, planted.defender())
    assert found.flagged.tolist() == [True] + [False] * 9
    again = TMPBD().detect(planted.stage, planted.defender())
    assert np.array_equal(found.scores, again.scores)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(np.array_equal(before[n], x) for n, x in weights(planted.stage).items())


def test_no_class_of_a_clean_victim_is_flagged():
    clean = case("direct", rate=0.0)
    assert not TMPBD().detect(clean.stage, clean.defender()).flagged.any()


def test_an_encoding_without_gradients_is_refused():
    drawn = replace(case().stage, encoding=Poisson())
    with pytest.raises(ConfigError, match="'poisson'"):
        TMPBD().detect(drawn, case().defender())
