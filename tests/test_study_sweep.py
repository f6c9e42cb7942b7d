"""A sweep's file: which experiments it stands for, and what is wrong with it."""

import pytest

from spikedoor.attack import Attack, Patch
from spikedoor.data import Digits
from spikedoor.errors import ConfigError
from spikedoor.rules import Conversion, Direct
from spikedoor.study import Sweep, load_sweep
from spikedoor.study.sweep import merged, shown_value

BASE = {"data": "digits", "rule": {"name": "direct", "steps": 2}}


def axes(sweep: Sweep) -> list[tuple]:
    return [(*one.axes.values(), one.experiment.seed) for one in sweep.experiments()]


def test_without_axes_it_is_one_experiment():
    (only,) = Sweep(base=BASE).experiments()
    assert (only.part, only.axes) == ("", {})
    assert only.experiment.rule == Direct(steps=2)
    assert only.experiment.data == Digits()
    assert (only.experiment.seed, only.experiment.threads) == (0, 1)


def test_grids_are_crossed_and_seeds_come_last():
    sweep = Sweep(base=BASE, grid={"attack.rate": [0.1, 0.2], "rule.steps": [2, 4]}, seeds=(0, 7))
    assert axes(sweep) == [
        (0.1, 2, 0), (0.1, 2, 7), (0.1, 4, 0), (0.1, 4, 7),
        (0.2, 2, 0), (0.2, 2, 7), (0.2, 4, 0), (0.2, 4, 7),
    ]  # fmt: skip
    last = sweep.experiments()[-1].experiment
    assert (last.attack.rate, last.rule.steps, last.seed) == (0.2, 4, 7)


def test_zipped_axes_advance_together_and_are_crossed_with_the_rest():
    zipped = {"attack.rate": [0.1, 0.2], "rule.steps": [2, 4]}
    sweep = Sweep(base=BASE, zip=(zipped,), grid={"attack.trigger.size": [2, 3]})
    assert axes(sweep) == [(2, 0.1, 2, 0), (2, 0.2, 4, 0), (3, 0.1, 2, 0), (3, 0.2, 4, 0)]


def test_parts_have_settings_and_axes_of_their_own():
    sweep = Sweep(
        base=BASE,
        grid={"attack.rate": [0.1, 0.2]},
        parts=(
            {"label": "LR_B", "grid": {"rule.steps": [2, 4]}},
            {"label": "LR_C", "set": {"rule": {"name": "conversion", "steps": 8}},
             "grid": {"attack": {"rate": [0.5]}}},
        ),
    )  # fmt: skip
    found = [(p.part, p.experiment.rule.name, *p.axes.values()) for p in sweep.experiments()]
    assert found == [
        ("LR_B", "direct", 0.1, 2), ("LR_B", "direct", 0.1, 4),
        ("LR_B", "direct", 0.2, 2), ("LR_B", "direct", 0.2, 4),
        ("LR_C", "conversion", 0.5),
    ]  # fmt: skip
    assert sweep.experiments()[-1].experiment.rule == Conversion(steps=8)


def test_an_axis_of_components_is_told_by_name_and_fields(tmp_path):
    file = tmp_path / "converters.toml"
    file.write_text("""
        base = "digits"
        [set]
        rule = "conversion"
        [grid]
        rule.converter = ["max", { name = "percentile", p = 99 }]
        "attack.trigger" = [{ name = "patch", value = [0.5] }]
    """)
    found = [(p.axes, p.experiment.rule.converter.name) for p in load_sweep(file).experiments()]
    trigger = "patch(value=[0.5])"
    assert found == [
        ({"rule.converter": "max", "attack.trigger": trigger}, "max"),
        ({"rule.converter": "percentile(p=99)", "attack.trigger": trigger}, "percentile"),
    ]


def test_an_axis_of_settings_is_told_by_its_keys():
    other = {"rate": 0.1, "trigger": {"name": "patch", "size": 3}}
    sweep = Sweep(base=BASE, grid={"attack": [{"rate": 0.2}, other]})
    found = [(one.axes, one.experiment.attack.rate) for one in sweep.experiments()]
    assert found == [
        ({"attack.rate": 0.2}, 0.2),
        ({"attack.rate": 0.1, "attack.trigger": "patch(size=3)"}, 0.1),
    ]


def test_base_names_a_preset_or_another_file(tmp_path):
    (tmp_path / "mine.toml").write_text('data = "digits"\nrule = "direct"\nattack.rate = 0.3')
    file = tmp_path / "sweep.toml"
    file.write_text('base = "mine.toml"\ngrid.rule.steps = [3]')
    (only,) = load_sweep(file).experiments()
    assert (only.experiment.attack, only.experiment.rule) == (Attack(rate=0.3), Direct(steps=3))
    file.write_text('base = "digits"\n')
    (only,) = load_sweep(file, ("base.attack.trigger.size=4", "seeds=[5]")).experiments()
    assert only.experiment.attack.trigger == Patch(size=4)
    assert only.experiment.seed == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'base = "digit"',
            r"sweep\.toml: base: no preset or file 'digit'; did you mean 'dig",
        ),
        ('base = "none.toml"', r"none\.toml: cannot be read"),
        ("grids = {}", r"grids: unknown key; did you mean 'grid'\?"),
        ("grid.attack.rate = 0.1", r"grid\.attack\.rate: expected a list of values, got 0\.1"),
        ("grid.attack.rate = []", r"expected a list of values, got \[\]"),
        ("zip = [{ a = [1, 2], b = [1] }]", "zip: expected lists of one length, but a has 2, b"),
        ("seeds = [1, 1]", "seeds: expected different numbers from 0 on"),
        ("seeds = []", "seeds: expected different numbers"),
    ],
)
def test_a_wrong_file_is_told_in_words(tmp_path, text, message):
    file = tmp_path / "sweep.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_sweep(file).experiments()


def test_a_wrong_experiment_is_told_with_its_place():
    sweep = Sweep(base=BASE, parts=({"label": "hot", "grid": {"attack.rate": [0.1, 2.0]}},))
    with pytest.raises(ConfigError, match=r"hot, attack\.rate=2\.0: attack\.rate: .*got 2\.0"):
        sweep.experiments()
    with pytest.raises(ConfigError, match=r"did you mean 'attack'\?"):
        Sweep(base=BASE, grid={"atack.rate": [0.1]}).experiments()


def test_too_many_experiments_are_refused():
    sweep = Sweep(base=BASE, grid={"attack.rate": [0.1] * 400}, seeds=tuple(range(400)))
    with pytest.raises(ConfigError, match="at most 100000"):
        sweep.experiments()


def test_tables_are_merged_unless_they_name_another_component():
    base = {"rule": {"name": "direct", "steps": 2, "training": {"epochs": 1}}, "seed": 1}
    assert merged(base, {"rule": {"training": {"batch": 8}}}) == {
        "rule": {"name": "direct", "steps": 2, "training": {"epochs": 1, "batch": 8}}, "seed": 1,
    }  # fmt: skip
    assert merged(base, {"rule": {"name": "hybrid"}})["rule"] == {"name": "hybrid"}
    assert merged({"rule": "direct"}, {"rule": {"steps": 4}})["rule"] == {
        "name": "direct", "steps": 4,
    }  # fmt: skip
    assert base["rule"]["training"] == {"epochs": 1}


def test_values_are_shown_in_short():
    assert shown_value({"name": "percentile", "p": 99.9}) == "percentile(p=99.9)"
    assert shown_value({"name": "max"}) == "max"
    assert shown_value("top-left") == "top-left"
    assert shown_value([1, 2]) == "[1, 2]"
