"""Experiments: read, overridden, run."""

import pytest

from spikedoor.attack import Attack
from spikedoor.data import Digits
from spikedoor.errors import ConfigError, OutputError
from spikedoor.rules import Conversion, Direct, Hybrid, Training
from spikedoor.snn.networks import SmallConv
from spikedoor.study import Experiment, Workshop, load, run
from spikedoor.study.demo import experiments
from spikedoor.study.toml import override

QUICK = Training(epochs=1)


def tiny(rule, **fields):
    data = Digits(train_limit=200, test_limit=60)
    return Experiment(data=data, network=SmallConv(width=4), rule=rule, **fields)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("attack.rate=0.1", {"attack": {"rate": 0.1}, "rule": "direct"}),
        ("seed=3", {"seed": 3, "rule": "direct"}),
        ("rule=hybrid", {"rule": "hybrid"}),
        ("rule='hybrid'", {"rule": "hybrid"}),
        ("rule.steps = 8", {"rule": {"name": "direct", "steps": 8}}),
        ("rule.training.epochs=1", {"rule": {"name": "direct", "training": {"epochs": 1}}}),
        ("a.b=[1, 2]", {"a": {"b": [1, 2]}, "rule": "direct"}),
        ("a={x = 1}", {"a": {"x": 1}, "rule": "direct"}),
        ("a=true", {"a": True, "rule": "direct"}),
        ("a=b=c", {"a": "b=c", "rule": "direct"}),
        ("rule.name=hybrid", {"rule": "hybrid"}),
        ("name=x", {"name": "x", "rule": "direct"}),
    ],
)
def test_override(setting, expected):
    before = {"rule": "direct"}
    assert override(before, [setting]) == expected
    assert before == {"rule": "direct"}


@pytest.mark.parametrize("key", ["rule", "rule.name"])
@pytest.mark.parametrize("step", [1, -1])
def test_another_component_comes_without_the_keys_of_the_one_before_and_with_its_own(key, step):
    before = {"rule": {"name": "conversion", "converter": "max", "ann": {"epochs": 3}}}
    settings = (f"{key}=direct", "rule.steps=8", "rule.training.epochs=1")
    assert override(before, settings[::step]) == {
        "rule": {"name": "direct", "steps": 8, "training": {"epochs": 1}}
    }


@pytest.mark.parametrize("setting", ["attack.rate", "=1", "a..b=1"])
def test_override_without_key_or_value(setting):
    with pytest.raises(ConfigError, match="expected key=value"):
        override({}, [setting])


def test_override_below_a_value():
    with pytest.raises(ConfigError, match="'seed' is 3, not a table"):
        override({"seed": 3}, ["seed.x=1"])


def test_load_applies_settings_and_seed(tmp_path):
    path = tmp_path / "e.toml"
    path.write_text(
        'seed = 1\ndata = "digits"\nrule = "direct"\n[attack]\ntarget = 3\ntrigger = "patch"\n'
    )
    found = load(path, ("rule.training.epochs=2", "attack.trigger.size=4"), seed=9)
    assert found.seed == 9
    assert found.rule == Direct(training=Training(epochs=2))
    assert found.attack == Attack(target=3, trigger={"name": "patch", "size": 4})
    assert load(path).seed == 1
    assert Experiment.from_dict(found.to_dict()) == found


def test_runs_repeat_and_differ_by_seed():
    first, again = (run(tiny(Direct(steps=2, training=QUICK))) for _ in range(2))
    other = run(tiny(Direct(steps=2, training=QUICK), seed=1))
    said = first.evaluation.answers["direct"]
    assert (said.triggered == again.evaluation.answers["direct"].triggered).all()
    assert (said.clean != other.evaluation.answers["direct"].clean).any()


def test_a_workshop_saves_time_and_changes_nothing():
    rules = (Conversion(steps=4, ann=QUICK), Hybrid(steps=2, ann=QUICK, finetune=QUICK))
    workshop = Workshop()
    shared = [run(tiny(rule), workshop=workshop) for rule in rules]
    alone = run(tiny(rules[1]))
    assert shared[0].stages["ann"] == shared[1].stages["ann"]  # its seconds too: it is the same
    for stage in ("ann", "converted", "finetuned"):
        for kind in ("clean", "triggered"):
            there, here = (getattr(r.evaluation.answers[stage], kind) for r in (shared[1], alone))
            assert (there == here).all()


def test_a_workshop_keeps_seeds_apart():
    workshop = Workshop()
    made = [run(tiny(Conversion(steps=1, ann=QUICK), seed=s), workshop=workshop) for s in (0, 1)]
    losses = [record.stages["ann"]["training"]["epochs"][0]["loss"] for record in made]
    assert losses[0] != losses[1]


def test_no_poison_no_twin():
    made = run(tiny(Direct(steps=1, training=QUICK), attack=Attack(rate=0)))
    assert made.poison["count"] == 0
    assert made.twin_stages == {}
    assert made.evaluation.twin_scores("direct") is None


def test_occupied_folder_is_refused_before_anything_is_loaded(tmp_path):
    (tmp_path / "mine").write_text("precious")
    broken = Experiment(data={"name": "mnist", "root": "/nowhere"}, rule=Direct())
    with pytest.raises(OutputError, match="not empty"):
        run(broken, tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_the_demo_shares_its_ann():
    planned = experiments(seed=5)
    assert list(planned) == ["lr_b", "lr_c", "lr_h", "events"]
    assert planned["lr_c"].rule.ann == planned["lr_h"].rule.ann
    assert {e.seed for e in planned.values()} == {5}
