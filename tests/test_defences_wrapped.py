"""Every defence on a module that is wrapped: what it keeps with any stage, or a reason why not."""

import re
from functools import cache

import pytest
import torch
from document_cases import ROOT

from spikedoor.data.strata import spread
from spikedoor.defences import DEFENCES
from spikedoor.defences.detect import TMPBD, NeuralCleanse, OutputVoltage, Strip
from spikedoor.defences.eliminate import IBAU, FinePruning, FineTuning
from spikedoor.defences.inputs import Inputs
from spikedoor.errors import ConfigError
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training
from spikedoor.snn.norm import statistics_kept
from spikedoor.snn.signal import Signal
from spikedoor.testing import defences as contract
from spikedoor.testing.parts import brief, with_fields
from spikedoor.testing.samples import poisoned, stripes
from spikedoor.victim import unwrap, wrap_module

WHY = "SpikingJelly is an oracle only; `make test` installs it"
functional = pytest.importorskip("spikingjelly.activation_based.functional", reason=WHY)
from wrapped_cases import STEPS, fit, planted, residual, tensors  # noqa: E402

LESS = {
    "corruptions": ("brightness", "impulse-noise"),
    "epochs": 2,
    "iterations": 4,
    "overlays": 4,
    "rounds": 1,
    "starts": 1,
    "steps": 5,
}
"""Of what takes long in those that search or train."""

REFUSED = {
    "abl-isolation": "cannot be built anew with fresh weights",
    "clp": "it is not known which belong together",
    "ndsbm": "whose neurons are not ours to set",
    "neuron-audit": "whose neurons are not ours to set",
}


@cache
def small():
    """Return a residual network that has learned stripes with a backdoor, as a stage."""
    net = fit(
        residual("m", classes=3, width=4), *tensors(poisoned(stripes(240))), epochs=2, batch=16
    )
    return wrap_module(net, (1, 8, 8), stripes(9).classes, STEPS).final


@pytest.mark.parametrize("name", DEFENCES.names())
def test_a_defence_keeps_what_it_keeps_with_others_or_says_why_not(name, monkeypatch):
    monkeypatch.setattr(contract, "victim", small)
    defence = with_fields(brief(DEFENCES[name]()), **LESS)
    checks = contract.ELIMINATOR if defence.task == "eliminate" else contract.DETECTOR
    if name not in REFUSED:
        checks[-1](defence)
        return
    with pytest.raises(ConfigError, match=REFUSED[name]):
        checks[-1](defence)


def test_the_tutorial_tells_which_work():
    page = (ROOT / "docs" / "tutorials" / "own-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (works|refused)[^|]*\| ([^|]+) \|", page, re.MULTILINE)
    told = {kind: set(re.findall(r"`([a-z-]+)`", names)) for kind, names in rows}
    assert told["refused"] == set(REFUSED)
    assert told["works"] == set(DEFENCES.names()) - set(REFUSED)


def test_a_backdoor_that_another_loop_has_planted_is_seen_and_weakened():
    case = planted()
    assert case.accuracy(case.stage) > 0.9
    assert case.success(case.stage) > 0.9
    clean, triggered = case.data.test, case.triggered
    shown = Inputs(clean, triggered, (spread(len(clean), 40), spread(len(triggered), 40)))
    for detector in (Strip(overlays=8), OutputVoltage()):
        flagged = detector.detect(case.stage, case.defender(), shown).flagged
        assert flagged[shown.from_second].mean() > 0.5 > flagged[~shown.from_second].mean()
    how = Training(epochs=10, batch=64, optimiser=Adam(lr=5e-3), validation=0.0, keep="last")
    repaired = FinePruning(training=how).repair(case.stage, case.defender())
    assert repaired.notes["repair"]["pruned"]
    assert case.success(repaired) < 0.6
    assert case.accuracy(repaired) > 0.85


class Hard(torch.nn.Module):
    """Neurons without a surrogate derivative."""

    def __init__(self):
        super().__init__()
        self.v = 0.0

    def forward(self, x):
        v = self.v / 2 + x
        spikes = (v >= 0.5).float()
        self.v = v - spikes / 2
        return spikes


def test_neurons_without_a_derivative_are_refused_where_one_is_needed():
    conv, linear = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 3)
    net = torch.nn.Sequential(conv, Hard(), torch.nn.Flatten(), linear)
    stage, has = wrap_module(net, (1, 8, 8), 3, STEPS).final, contract.defender()
    for method in (NeuralCleanse(steps=1).detect, TMPBD(steps=1).detect, IBAU(rounds=1).repair):
        with pytest.raises(ConfigError, match="lets no gradient through"):
            method(stage, has)
    tuned = FineTuning(training=Training(epochs=1, batch=64, validation=0.0)).repair(stage, has)
    assert not torch.equal(*(one.network.head.layer.weight for one in (stage, tuned)))


def test_a_repaired_module_is_given_back_and_can_be_kept(tmp_path):
    from safetensors.torch import load_file, save_file

    stage, data = small(), stripes(40)
    has = contract.defender()
    training = Training(epochs=1, batch=64, validation=0.0, keep="last")
    repaired = FinePruning(tolerance=0.9, training=training).repair(stage, has)
    assert repaired.notes["repair"]["pruned"]
    module = unwrap(repaired)
    functional.reset_net(module)
    shown = tensors(data)[0]
    with torch.no_grad():
        theirs = module(shown.expand(STEPS, -1, -1, -1, -1))
        before, after = (made.network(Signal(shown, STEPS, 40)) for made in (stage, repaired))
    assert torch.equal(theirs, after)
    assert not torch.allclose(before, after)
    save_file(repaired.network.state_dict(), tmp_path / "mine.safetensors")
    again = wrap_module(residual("m", 5, 3, 4), (1, 8, 8), 3, STEPS).final
    again.network.load_state_dict(load_file(tmp_path / "mine.safetensors"))
    with torch.no_grad():
        assert torch.equal(again.network(Signal(shown, STEPS, 40)), after)


def test_statistics_of_norms_of_torch_are_kept_where_ours_are():
    made = small().copied()
    inputs = tensors(stripes(9))[0]
    norm = made.network.get_submodule("blocks.0.module.bn")
    before = norm.running_mean.clone()
    made.network.train()
    generator = torch.Generator()
    with statistics_kept(made.network):
        made.scores(inputs, generator)
    assert torch.equal(norm.running_mean, before)
    made.scores(inputs, generator)
    assert not torch.equal(norm.running_mean, before)


def test_dropout_of_the_module_draws_the_same_again_and_nothing_from_others():
    net = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    stage = wrap_module(net, (1, 8, 8), 3).final
    drawn = torch.get_rng_state()
    training = Training(epochs=2, batch=64, validation=0.0, keep="last")
    found = [FineTuning(training=training).repair(stage, contract.defender()) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), drawn)
    one, two = (made.network.state_dict() for made in found)
    assert all(torch.equal(one[name], two[name]) for name in one)
