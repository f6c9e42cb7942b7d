"""The output neurons of a recorded victim, from Python and from the command line."""

import json

import numpy as np
import pytest
from rules_cases import QUICK, one_thread  # noqa: F401 (one_thread is a fixture)

from spikedoor.attack import Attack, Patch
from spikedoor.data import Digits
from spikedoor.errors import ConfigError, DataError
from spikedoor.records import Record
from spikedoor.rules import ANN, Hybrid
from spikedoor.snn.networks import SmallConv
from spikedoor.study import Experiment, run
from spikedoor.study.probe import probe


def made(rule, folder):
    experiment = Experiment(
        seed=3,
        data=Digits(train_limit=300, test_limit=60),
        attack=Attack(trigger=Patch(size=2), target=1, rate=0.1),
        network=SmallConv(width=8, pool="avg"),
        rule=rule,
        twin=False,
    )
    run(experiment, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    quick = QUICK.model_copy(update={"epochs": 6})
    rule = Hybrid(steps=6, ann=quick, finetune=QUICK)
    return made(rule, tmp_path_factory.mktemp("probe") / "hybrid")


def test_shows_what_the_record_says_of_the_sample(folder):
    found, said = probe(folder), Record.read(folder).evaluation
    assert [traces.stage for traces in found.stages] == ["converted", "finetuned"]
    assert found.label == said.labels[found.index] != found.target == 1
    for traces in found.stages:
        answers = said.answers[traces.stage]
        for course, rows in (
            (traces.clean, answers.clean), (traces.triggered, answers.triggered)
        ):  # fmt: skip
            assert course.membrane.shape == course.spikes.shape == course.current.shape == (6, 10)
            assert np.array_equal(course.voltage.argmax(1), rows[:, found.index])
            assert course.predicted == rows[-1, found.index]
    last = found.stages[-1]
    assert (last.clean.predicted, last.triggered.predicted) == (found.label, found.target)
    assert (found.clean != found.triggered).any()


def test_takes_the_sample_asked_for(folder):
    labels = Record.read(folder).evaluation.labels
    chosen = int(np.flatnonzero(labels == 7)[1])
    assert probe(folder, sample=chosen).index == chosen
    assert probe(folder, label="7").label == 7
    for wrong, told in (
        ({"sample": int(np.flatnonzero(labels == 1)[0])}, "not of its target class"),
        ({"sample": 60}, "0 to 59"),
        ({"label": "ten"}, "unknown class"),
    ):
        with pytest.raises(ConfigError, match=told):
            probe(folder, **wrong)
    with pytest.raises(DataError, match="no twin"):
        probe(folder, owner="twin")


def test_an_ann_has_nothing_to_show(tmp_path):
    with pytest.raises(ConfigError, match="no stage of spiking neurons"):
        probe(made(ANN(training=QUICK), tmp_path / "ann"))


def test_from_the_command_line(cli, tmp_path, folder):
    code, out, err = cli("probe", folder, "--json")
    told, found = json.loads(out), probe(folder)
    assert (code, err) == (0, "")
    assert (told["sample"], told["target"]) == (found.index, "1")
    spikes = told["stages"]["finetuned"]["triggered"]["spikes"]
    assert spikes == found.stages[1].triggered.spikes.tolist()
    assert (tmp_path / "hybrid-traces.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = cli("probe", folder, "--class", "7", "--out", "x.svg")
    assert code == 0
    assert out.startswith("Test sample")
    assert "<svg" in (tmp_path / "x.svg").read_text()
    assert cli("probe", folder, "--out", "x.gif")[0] == 2
