"""The verbs about defences, on a victim that a run has left."""

import json

import pytest

from spikedoor.defences import DEFENCES, Detection, ModelDetector
from spikedoor.study import Experiment, run
from spikedoor.victim import Victim

QUICK = {"epochs": 6, "batch": 32, "optimiser": {"name": "adam", "lr": 5e-3}}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record") / "run"
    run(
        Experiment.from_dict(
            {
                "data": {"name": "digits", "train_limit": 600, "test_limit": 100},
                "network": {"name": "small-conv", "width": 4, "pool": "avg"},
                "attack": {"rate": 0.05, "trigger": {"name": "patch", "size": 2}},
                "rule": {"name": "conversion", "steps": 16, "ann": QUICK},
            }
        ),
        folder,
    )
    return folder


def test_a_detector_is_held_to_the_truth_of_the_record(cli, record):
    code, out, err = cli(
        "defend", str(record), "--with", "activation-clustering", "--clean", "0.2", "--json"
    )
    assert (code, err) == (0, "")
    ((found,),) = [one["rows"] for one in json.loads(out)]
    assert found["stage"] == "converted"
    assert found["found.count"] == 30
    assert found["false_alarms.count"] == 570
    assert found["twin_false_alarms.count"] == 600


@pytest.mark.parametrize("stage", ["final", "ann"])
def test_a_repaired_victim_is_written_and_the_old_one_stays(cli, record, tmp_path, stage):
    before = (record / "victim" / "converted.safetensors").read_bytes()
    out = tmp_path / "repaired"
    code, text, err = cli(
        "defend", str(record), "--with", '{ name = "fine-tuning", training.epochs = 1 }',
        "--clean", "0.2", "--stage", stage, "--out", str(out),
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "effectiveness" in text
    repaired = Victim.load(out)
    assert [s.name for s in repaired.stages] == ["ann", "converted", "repaired"]
    assert repaired.final.steps == 16
    assert (record / "victim" / "converted.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--with", "fine-tunning"], 2, "did you mean 'fine-tuning'"),
        (["--with", "{ name ="], 2, "expected a name or a table in TOML"),
        (["--with", "activation-clustering", "--out", "x"], 2, "--out: expected one eliminator"),
        (["--with", "fine-tuning", "--clean", "0.0001"], 2, "larger share"),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, record, arguments, code, told):
    found, _, err = cli("defend", str(record), *arguments)
    assert found == code
    assert told in err
    assert len(err.strip().splitlines()) == 1


def planted(name: str, scores: list[float]) -> type[ModelDetector]:
    """Return a detector that says what it is told to."""

    class Planted(ModelDetector):
        def detect(self, stage, defender):
            del stage, defender
            return Detection(scores, 1.0)

    Planted.name = name
    return Planted


@pytest.mark.parametrize(
    ("said", "verdict", "code"),
    [
        ([[0.0] * 10, [0.5] * 10], "nothing found", 0),
        ([[0.0] * 10, [0.0] * 9 + [2.0]], "unclear", 0),
        ([[2.0] + [0.0] * 9, [0.0] * 9 + [2.0]], "unclear", 0),
        ([[0.0] * 9 + [3.0], [0.0] * 9 + [2.0]], "backdoor", 1),
    ],
)
def test_two_detectors_must_agree(cli, record, monkeypatch, said, verdict, code):
    made = [planted(f"planted-{i}", scores) for i, scores in enumerate(said)]
    monkeypatch.setattr("spikedoor.study.audit.model_detectors", lambda: [cls() for cls in made])
    found, out, err = cli("audit", str(record), "--clean", "0.2", "--json")
    assert (found, err) == (code, "")
    assert json.loads(out)["verdict"] == verdict
    assert f"Verdict: {verdict}" in cli("audit", str(record), "--clean", "0.2")[1]


def test_a_victim_alone_needs_its_data_named_and_fitting(cli, record):
    victim = str(record / "victim")
    code, _, err = cli("audit", victim)
    assert code == 2
    assert "--data" in err
    code, _, err = cli("audit", victim, "--data", "digits-dvs")
    assert code == 2
    assert len(err.strip().splitlines()) == 1


def test_every_detector_of_models_can_be_made_without_settings():
    for name in DEFENCES.names():
        DEFENCES[name]()
