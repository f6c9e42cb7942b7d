"""The verb that holds a preset against published numbers, and what is said of presets."""

import json

import pytest

from spikedoor.records import Store
from spikedoor.study import load, presets

TEXT = """
about = "A trial on digits."
data = { name = "digits", train_limit = 200, test_limit = 60 }
network = { name = "small-conv", width = 4 }
rule = { name = "ann", training = { epochs = 3, batch = 32 } }
[attack]
rate = 0.1
trigger = { name = "patch", size = 2 }
"""
NUMBER = """
[[expected]]
stage = "ann"
measure = "clean_accuracy"
value = {value}
tolerance = {tolerance}
source = "Table 1"
"""


@pytest.fixture
def preset(tmp_path):
    def write(*numbers):
        path = tmp_path / "trial.toml"
        path.write_text(TEXT + "".join(NUMBER.format(value=v, tolerance=t) for v, t in numbers))
        return path

    return write


def test_within_and_outside_and_nothing_is_made_twice(cli, tmp_path, preset):
    code, out, err = cli("reproduce", preset((0.5, 0.5)), "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    (found,) = told["comparisons"]
    (row,) = told["rows"]
    assert told["reproduced"] is True
    assert found["measured"] == row["clean_accuracy"]
    assert (found["low"], found["high"]) == (row["clean_accuracy.low"], row["clean_accuracy.high"])
    assert found["difference"] == pytest.approx(row["clean_accuracy"] - 0.5)
    store = Store(tmp_path / "runs" / "store", create=False)
    made = {entry.key for entry in store.entries()}

    far = row["clean_accuracy"] + 0.1
    code, out, err = cli("reproduce", preset((0.5, 0.5), (far, 0.05)))
    assert (code, err) == (1, "")
    assert "A trial on digits." in out
    lines = [line for line in out.splitlines() if line.endswith("Table 1")]
    assert [line.split()[-3] for line in lines] == ["within", "outside"]
    assert "-10.00" in lines[1]
    assert {entry.key for entry in store.entries()} == made


def test_several_seeds_and_overrides(cli, tmp_path, preset):
    arguments = ("--seeds", "0,3", "--set", "rule.training.epochs=1", "--store", "kept", "--json")
    code, out, _ = cli("reproduce", preset((0.5, 0.5)), *arguments)
    told = json.loads(out)
    assert code == 0
    assert [one["seed"] for one in told["experiments"]] == [0, 3]
    assert {one["rule"]["training"]["epochs"] for one in told["experiments"]} == {1}
    assert told["comparisons"][0]["runs"] == 2
    (pin,) = Store(tmp_path / "kept", create=False).pins()
    assert pin.startswith("reproduce-trial-")


def test_without_published_numbers_it_says_so(cli, preset):
    code, out, err = cli("reproduce", preset(), "--set", "rule.training.epochs=1")
    assert (code, err) == (0, "")
    assert "No published numbers" in out
    assert "clean_accuracy" in out
    told = json.loads(cli("reproduce", preset(), "--set", "rule.training.epochs=1", "--json")[1])
    assert (told["reproduced"], told["comparisons"]) == (None, [])


def test_a_run_that_fails_is_no_reproduction(cli, preset, monkeypatch):
    def broken(*arguments):
        raise ValueError("no luck")

    monkeypatch.setattr("spikedoor.rules.ann.train_ann", broken)
    code, out, err = cli("reproduce", preset((0.5, 0.5)))
    assert code == 1
    assert "missing" in out
    assert "ValueError: no luck" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "badnets-pytorch-mnis"], "did you mean 'badnets-pytorch-mnist'?"),
        (["reproduce", "none.toml"], "none.toml: cannot be read"),
        (["reproduce", "digits", "--seeds", "one"], "--seeds: expected whole numbers"),
        (["reproduce", "digits", "--seeds", "1,1"], "seeds: expected different numbers"),
        (["reproduce", "digits", "--set", "abot=1"], "did you mean 'about'?"),
        (["run", "digit"], "no preset or file 'digit'; did you mean 'digits'?"),
        (["show", "preset", "digit"], "did you mean 'digits'?"),
    ],
)
def test_mistakes_are_one_line(cli, arguments, message):
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_presets_are_listed_and_shown(cli):
    listed = json.loads(cli("list", "presets", "--json")[1])
    assert [one["name"] for one in listed] == list(presets())
    code, out, _ = cli("list", "presets")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(presets())
    name = "backdoorbench-badnets"
    code, out, _ = cli("show", "preset", name)
    assert code == 0
    assert "attack_success = 95.03 ± 3.00 %" in out
    assert presets()[name].read_text().rstrip() in out
    shown = json.loads(cli("show", "presets", name, "--json")[1])
    assert shown["experiment"] == load(name).to_dict()
    assert len(shown["expected"]) == 2


def test_check_takes_names(cli):
    code, out, _ = cli("check", *presets())
    assert code == 0
    assert out.count(": ok\n") == len(presets())


def test_run_takes_a_preset_by_name(cli, tmp_path):
    changes = ("data.train_limit=100", "rule.training.epochs=1", "network.width=4", "twin=false")
    code, _, err = cli("run", "digits", *(part for c in changes for part in ("--set", c)))
    assert (code, err) == (0, "")
    assert (tmp_path / "runs" / "digits-1" / "record.json").exists()
