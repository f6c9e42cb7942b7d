"""The rule of an attacker who trains the victim: its terms, and the weights that were chosen."""

import csv
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from defence_cases import weights
from rules_cases import one_thread  # noqa: F401 (a fixture)

import spikedoor as sd
from spikedoor import plugins, registry
from spikedoor.attack import Patch
from spikedoor.attack.labels import AllToAll
from spikedoor.data import Digits
from spikedoor.defences import Defender
from spikedoor.defences.detect import Beatrix
from spikedoor.errors import ConfigError
from spikedoor.metrics import auroc
from spikedoor.rules import RULES, Direct, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.norm import BatchNorm
from spikedoor.testing import check_rule

ROOT = Path(__file__).parents[1]
NETWORK = SmallConv(width=8)
SHORT = Training(epochs=1, batch=32, validation=0.0, optimiser=Adam(lr=5e-3))


@pytest.fixture
def study(monkeypatch):
    """Load the study's rule, and forget it after: other tests go through all that is registered."""
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(RULES, "_members", dict(RULES._members))
    monkeypatch.setattr(registry, "_code", dict(registry._code))
    before = set(sys.modules)
    plugins.load(ROOT / "studies" / "evading.py")
    (name,) = (name for name in set(sys.modules) - before if name.startswith("spikedoor_plugin_"))
    yield sys.modules[name]
    del sys.modules[name]


def digits():
    return Digits(train_limit=300).load()


def poisoned(data, rate=0.1, seed=0):
    return sd.Attack(trigger=Patch(size=2), target=0, rate=rate).poison(data.train, seed)


class TestDeviation:
    random = np.random.default_rng(0)
    clean = random.normal(3, 0.3, (40, 5, 4))
    other = random.normal(3, 1.0, (30, 5, 4))

    @pytest.mark.parametrize("width", [1.0, 10.0])
    def test_is_what_beatrix_measures_at_order_1(self, study, width):
        bounds = Beatrix(orders=1, width=width)._bounds(self.clean)
        wanted = bounds.deviations(self.other, 1).mean()
        found = study.deviation(torch.tensor(self.other), torch.tensor(self.clean), width)
        assert float(found) == pytest.approx(wanted, rel=1e-9)
        assert wanted > 0

    def test_of_single_neurons_all_orders_are_one(self, study):
        clean, other = self.clean[..., :1], self.other[..., :1]
        wanted = Beatrix(orders=8, width=3.0)._bounds(clean).deviations(other, 8).mean()
        found = study.deviation(*(torch.tensor(x[..., 0]) for x in (other, clean)), 3.0)
        assert float(found) == pytest.approx(wanted, rel=1e-6)

    def test_is_nothing_for_the_clean_samples_within_their_bounds(self, study):
        clean = torch.tensor(self.clean)
        assert float(study.deviation(clean, clean, 100.0)) == 0

    def test_its_gradient_takes_poison_into_the_detectors_bounds(self, study):
        clean = self.clean[..., :1]
        bounds = Beatrix()._bounds(clean)
        ours = torch.tensor(self.other[..., :1] + 5, requires_grad=True)
        before = bounds.deviations(ours.detach().numpy(), 8).mean()
        optimiser = torch.optim.Adam([ours], lr=0.05)
        for _ in range(200):
            optimiser.zero_grad()
            study.deviation(ours, torch.tensor(clean), 3.0).backward()
            optimiser.step()
        assert before > 0
        assert bounds.deviations(ours.detach().numpy(), 8).mean() < 0.01 * before


class TestRule:
    def test_keeps_what_every_rule_keeps(self, study):
        check_rule(study.Evading(features=0.1, blends=0.1, drawn=4))

    def test_without_weights_or_without_poison_it_is_lr_b(self, study):
        data = digits().train
        for weight, given in ((0.0, poisoned(digits())), (0.5, data)):
            made = study.Evading(features=weight, blends=weight, training=SHORT)
            found, wanted = (
                weights(rule.fit(NETWORK, given, 1)["direct"])
                for rule in (made, Direct(training=SHORT))
            )
            assert all(np.array_equal(found[name], value) for name, value in wanted.items())

    def test_its_terms_leave_norms_and_mode_as_they_are(self, study):
        data = poisoned(digits())
        rule = study.Evading(features=1.0, blends=1.0)
        stage = Direct(training=SHORT).fit(NETWORK, data, 0)["direct"]
        norms = [m for m in stage.network.modules() if isinstance(m, BatchNorm)]
        before = [norm.running_mean.clone() for norm in norms]
        stage.network.train()
        value = study._Hidden(rule, stage, data, 0)(None)
        assert stage.network.training
        assert all(map(torch.equal, before, (norm.running_mean for norm in norms)))
        value.backward()
        gradient = norms[0].weight.grad
        assert gradient is not None
        assert gradient.abs().sum() > 0

    def test_the_detector_loses_the_poison_and_the_backdoor_stays(self, study):
        data, seed = Digits().load(), 0
        attack = sd.Attack(trigger=Patch(size=2), target=0, rate=0.05)
        given = attack.poison(data.train, seed)
        defender = Defender.of(data.train, 0.2, given, seed)
        found = {}
        for weight in (0.0, 0.3):
            rule = study.Evading(features=weight, training=SHORT.model_copy(update={"epochs": 6}))
            victim = rule.fit(NETWORK, given, seed)
            scores = Beatrix().detect(victim["direct"], defender).scores
            success = sd.evaluate(victim, data.test, attack).scores("direct").attack_success
            assert success is not None
            found[weight] = auroc(scores, given.poisoned).value, success.value
        (plain, _), (hidden, success) = found[0.0], found[0.3]
        assert plain > 0.9
        assert hidden < 0.6
        assert success > 0.7

    def test_several_targets_are_refused(self, study):
        given = sd.Attack(trigger=Patch(), target=AllToAll(), rate=0.3).poison(digits().train, 0)
        with pytest.raises(ConfigError, match="expected one target class, got 10"):
            study.Evading(features=1.0, training=SHORT).fit(NETWORK, given)


def test_the_study_has_the_weights_that_the_attacker_chose():
    with (ROOT / "docs" / "results" / "adaptive-weights.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["seed"] for row in rows} == {"100"}
    sweep = tomllib.loads((ROOT / "studies" / "adaptive-training.toml").read_text())
    parts = {part["label"]: part for part in sweep["parts"]}
    chosen = {}
    for label, field in (("against Beatrix", "features"), ("against STRIP", "blends")):
        chosen[field] = []
        for trigger in ("patch", "blended"):
            able = [
                row
                for row in rows
                if row["part"] == label
                and row["attack.trigger"].startswith(trigger)
                and float(row["attack_success"]) >= 0.9
            ]
            best = min(able, key=lambda row: abs(float(row["auroc"]) - 0.5))
            chosen[field].append(float(best[f"rule.{field}"]))
        assert parts[label]["zip"][0]["rule"][field] == chosen[field]
    both = parts["against both"]["zip"][0]["rule"]
    assert both == chosen
    assert 100 not in sweep["seeds"]
