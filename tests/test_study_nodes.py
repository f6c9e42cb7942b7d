"""Keys: what changes them, what does not, and what experiments share."""

import itertools
from typing import Any

import pytest

from spikedoor.attack import Attack, Patch
from spikedoor.data import Digits
from spikedoor.errors import ConfigError
from spikedoor.rules import Conversion, Direct, Hybrid, Rule, Training
from spikedoor.rules.conversion import Max
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.networks import VGG, SmallConv
from spikedoor.snn.readout import LastMembrane
from spikedoor.study import Experiment
from spikedoor.study.cell import Cell, Question, cell, with_shared_simulations
from spikedoor.study.nodes import VERSIONS, Node, walk

SOURCE = Digits(train_limit=60, test_limit=20)
DATA = SOURCE.load()
RULES: dict[str, Rule] = {
    "direct": Direct(),
    "conversion": Conversion(),
    "hybrid": Hybrid(),
}
OTHER: dict[str, Any] = {
    "steps": 9,
    "encoding": Poisson(),
    "readout": LastMembrane(),
    "training": Training(epochs=77),
    "ann": Training(epochs=77),
    "finetune": Training(epochs=77),
    "converter": Max(),
    "activation": "clipped-relu",
    "calibration": "clean",
    "calibration_samples": 7,
    "finetune_on": "clean",
    "neuron": "if",
    "loss": "tet",
    "surrogate": "triangle",
    "learn_threshold": True,
    "learn_leak": True,
}


def planned(rule: Rule | str = "conversion", **fields: Any) -> Cell:
    made = RULES[rule] if isinstance(rule, str) else rule
    return cell(Experiment.from_dict({"data": SOURCE, "rule": made, "threads": 1} | fields), DATA)


def keys(made: Cell) -> set[str]:
    return {node.key for leaf in made.leaves() for node in walk(leaf)}


def test_a_key_is_the_hash_of_what_decides_the_result():
    base = Node("ann", {"a": 1, "b": {"c": 2}})
    assert base.key == Node("ann", {"b": {"c": 2}, "a": 1}).key
    assert base.key == Node("ann", {"a": 1, "b": {"c": 2}}, {}, {"root": "/else"}).key
    other = [
        Node("direct", base.config),
        Node("ann", {"a": 1, "b": {"c": 3}}),
        Node("ann", base.config, {"data": base}),
        Node("ann", base.config, {"poison": base}),
    ]
    assert len({base.key, *(node.key for node in other)}) == 5
    assert len(base.key) == 64


def test_a_new_version_of_a_stage_is_another_stage(monkeypatch):
    before = planned()
    key = before.stages["victim"]["ann"].key
    monkeypatch.setitem(VERSIONS, "ann", VERSIONS["ann"] + 1)
    after = planned()
    assert after.stages["victim"]["ann"].key != key
    assert before.poison.key == after.poison.key


@pytest.mark.parametrize("name", RULES)
def test_every_field_of_a_rule_decides_something(name):
    plain = planned(name)
    for field in type(RULES[name]).model_fields:
        assert field in OTHER, f"add another value of '{field}' to this test"
        rule = type(RULES[name]).from_dict({**RULES[name].to_dict(), field: OTHER[field]})
        assert rule != RULES[name]
        assert keys(planned(rule)) != keys(plain), field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 3),
        ("network", VGG(depth=5, width=0.25)),
        ("threads", 2),
        ("attack", Attack(rate=0.2)),
        ("attack", Attack(target=4)),
        ("attack", Attack(trigger=Patch(corner="top-left"))),
        ("attack", Attack(candidates="non-target")),
        ("attack", Attack(cover=0.1)),
    ],
)
def test_every_field_of_an_experiment_decides_something(field, value):
    assert keys(planned(**{field: value})) != keys(planned())


def test_where_the_files_lie_decides_nothing(tmp_path):
    moved = Digits(train_limit=60, test_limit=20, root=tmp_path, download=True)
    assert keys(planned(data=moved)) == keys(planned())
    less = Digits(train_limit=50, test_limit=20)
    there = Experiment(data=less, rule=RULES["direct"], threads=1)
    assert cell(there, less.load()).data.key != planned().data.key


def test_folds_decide_only_where_one_is_asked_for():
    fields = {"train_limit": 60, "test_limit": 20}
    assert keys(planned(data=Digits(**fields, folds=7))) == keys(planned())
    asked = {
        made.data.key
        for made in (
            planned(data=Digits(**fields, fold=0)),
            planned(data=Digits(**fields, fold=1)),
            planned(data=Digits(**fields, fold=1, folds=7)),
            planned(),
        )
    }
    assert len(asked) == 4


def test_the_size_of_the_test_set_trains_nothing_again():
    def made(**limits: int) -> Cell:
        source = Digits(**limits)
        experiment = Experiment(data=source, rule=RULES["conversion"], threads=1)
        return cell(experiment, source.load())

    small, large = made(train_limit=60, test_limit=20), made(train_limit=60, test_limit=30)
    assert small.stages["victim"]["converted"].key == large.stages["victim"]["converted"].key
    asked = Question("victim", "converted", False)
    assert small.answers[asked].key != large.answers[asked].key
    other = made(train_limit=50, test_limit=20)
    assert other.stages["victim"]["ann"].key != small.stages["victim"]["ann"].key
    assert other.answers[asked].inputs["data"].key == small.answers[asked].inputs["data"].key


def test_a_new_converter_leaves_the_ann_and_what_hangs_on_it():
    plain, other = planned(), planned(Conversion(converter=Max()))
    same = keys(plain) & keys(other)
    for owner in ("victim", "twin"):
        assert plain.stages[owner]["ann"].key in same
        assert plain.stages[owner]["converted"].key not in same
        assert plain.answers[Question(owner, "ann", True)].key in same


def test_conversion_and_hybrid_share_ann_and_conversion():
    first, second = planned("conversion"), planned("hybrid")
    for stage in ("ann", "converted"):
        assert first.stages["victim"][stage].key == second.stages["victim"][stage].key


def test_time_steps_do_not_train_or_convert_again():
    short, long = planned(Conversion(steps=4)), planned(Conversion(steps=64))
    assert short.stages["victim"]["converted"].key == long.stages["victim"]["converted"].key
    read = [c.answers[Question("victim", "converted", True)] for c in (short, long)]
    assert read[0].key != read[1].key
    both = with_shared_simulations([short, long])
    shared = [c.answers[Question("victim", "converted", True)] for c in both]
    assert shared[0].key == shared[1].key == read[1].key
    assert shared[0].config["steps"] == 64
    assert both[0].phases["converted"].steps == 4


def test_a_converter_that_uses_the_time_steps_converts_for_each():
    rules = [Conversion(converter="calibration", steps=steps) for steps in (4, 64)]
    made = [planned(rule).stages["victim"] for rule in rules]
    assert made[0]["ann"].key == made[1]["ann"].key
    assert made[0]["converted"].key != made[1]["converted"].key


def test_what_cannot_be_converted_is_refused_before_anything_is_made():
    with pytest.raises(ConfigError, match="max pooling in"):
        planned(network=SmallConv(pool="max"))


def test_simulations_of_other_networks_or_readouts_are_not_shared():
    rules = [Conversion(steps=4), Conversion(steps=8, readout=LastMembrane()), Hybrid(steps=2)]
    made = with_shared_simulations([planned(rule) for rule in rules])
    steps = [c.answers[Question("victim", "converted", True)].config["steps"] for c in made]
    assert steps == [4, 8, 4]  # the hybrid's network is that of the first


def test_the_clean_twin_is_one_for_all_attacks():
    attacks = [
        Attack(rate=rate, target=target, trigger=Patch(corner=corner))
        for rate, target, corner in itertools.product(
            (0.1, 0.3), (0, 5), ("top-left", "bottom-right")
        )
    ]
    made = [planned(attack=attack) for attack in attacks]
    twins = {one.stages["twin"]["converted"].key for one in made}
    victims = {one.stages["victim"]["converted"].key for one in made}
    triggered = {one.answers[Question("twin", "converted", True)].key for one in made}
    assert (len(twins), len(victims), len(triggered)) == (1, 8, 2)


def test_cover_samples_alone_are_no_clean_training():
    made, clean = planned(attack=Attack(rate=0.0, cover=0.1)), planned(attack=Attack(rate=0.0))
    assert made.stages["victim"]["ann"].key != clean.stages["victim"]["ann"].key
    assert made.stages["twin"]["ann"].key == clean.stages["victim"]["ann"].key


def test_a_trigger_with_drawn_parts_depends_on_the_seed():
    def triggered(attack: Attack, seed: int) -> dict:
        made = planned(attack=attack, seed=seed)
        node = made.answers[Question("victim", "ann", True)]
        return {**node.config, "seed": None, "inputs": sorted(node.inputs)}

    drawn, fixed = Attack(trigger="wanet"), Attack()
    assert triggered(drawn, 1) != triggered(drawn, 2)
    assert triggered(fixed, 1) == triggered(fixed, 2)


def test_the_twin_is_the_victim_of_no_poison():
    clean = planned(attack=Attack(rate=0.0))
    assert "twin" not in clean.stages
    assert clean.stages["victim"]["ann"].key == planned().stages["twin"]["ann"].key
    assert "twin" not in planned(twin=False).stages


def test_a_stage_on_clean_data_does_not_depend_on_the_poison():
    rule = Hybrid(finetune_on="clean", calibration="clean")
    made = planned(rule)
    inputs = {name: set(node.inputs) for name, node in made.stages["victim"].items()}
    assert inputs == {
        "ann": {"data", "poison"},
        "converted": {"data", "before"},
        "finetuned": {"data", "before"},
    }


def test_walk_gives_inputs_first_and_each_node_once():
    order = [node.key for node in walk(planned("hybrid").answers[Question("victim", "ann", True)])]
    assert len(order) == len(set(order))
    made = planned("hybrid")
    for leaf in made.leaves():
        place = {node.key: i for i, node in enumerate(walk(leaf))}
        for node in walk(leaf):
            assert all(place[inner.key] < place[node.key] for inner in node.inputs.values())
