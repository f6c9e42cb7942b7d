"""A record comes back as it went, or not at all."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data import Digits
from spikedoor.errors import DataError, MissingDataError
from spikedoor.metrics import score
from spikedoor.records import Record
from spikedoor.rules import Hybrid, Training
from spikedoor.snn.networks import SmallConv
from spikedoor.study import Experiment, run

QUICK = Training(epochs=1, validation=0)  # without validation its accuracy is not a number


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "run"
    data = Digits(train_limit=200, test_limit=60)
    rule = Hybrid(steps=2, ann=QUICK, finetune=QUICK)
    record = run(Experiment(data=data, network=SmallConv(width=4), rule=rule), folder)
    return record, folder


@pytest.fixture
def copy(made, tmp_path):
    for name in ("record.json", "record.npz"):
        (tmp_path / name).write_bytes((made[1] / name).read_bytes())
    return tmp_path


def test_round_trip(made):
    record, folder = made
    back = Record.read(folder)
    assert back.to_json() == record.to_json()
    for owner in ("answers", "twin"):
        before, after = (getattr(r.evaluation, owner) for r in (record, back))
        assert list(before) == list(after) == ["ann", "converted", "finetuned"]
        for stage in before:
            assert (before[stage].clean == after[stage].clean).all()
            assert (before[stage].triggered == after[stage].triggered).all()
    for name in ("clean", "triggered", "labels"):
        assert (getattr(back.gallery, name) == getattr(record.gallery, name)).all()


def test_everything_is_in_the_folder(made):
    record, folder = made
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    stages = {f"{v}/{s}.safetensors" for v in ("victim", "twin") for s in record.stages}
    assert files == {
        *("record.json", "record.npz", "samples.npz", "plan.json"),
        *("victim/victim.json", "twin/victim.json"),
        *stages,
    }
    assert Experiment.from_dict(record.experiment).to_dict() == record.experiment


def test_json_has_no_nan(made):
    def refuse(word):
        raise AssertionError(word)

    plain = json.loads((made[1] / "record.json").read_text(), parse_constant=refuse)
    assert plain["stages"]["ann"]["training"]["epochs"][0]["accuracy"] is None


def test_scores_are_those_of_the_predictions(made):
    _, folder = made
    plain = json.loads((folder / "record.json").read_text())
    arrays = np.load(folder / "record.npz")
    labels, targets = arrays["labels"], arrays["targets"]
    attacked = labels != targets
    for stage, told in plain["scores"].items():
        clean, triggered = (arrays[f"victim/{stage}/{kind}"] for kind in ("clean", "triggered"))
        assert len(told["victim"]) == len(clean) == plain["stages"][stage]["steps"]
        for t, scores in enumerate(told["victim"]):
            accuracy = scores["clean_accuracy"]
            assert accuracy["successes"] == (clean[t] == labels).sum()
            assert accuracy["count"] == len(labels)
            if not scores["diverged"]:
                success = scores["attack_success"]
                assert success["successes"] == (triggered[t] == targets)[attacked].sum()
                assert success["count"] == attacked.sum()


def test_scores_survive_being_read(made):
    _, folder = made
    found = Record.read(folder).evaluation
    said = found.answers["finetuned"]
    classes = len(found.classes)
    again = score(said, found.labels, found.targets, classes, found.answers["ann"])
    assert again == found.scores("finetuned")


def test_no_record(tmp_path):
    with pytest.raises(MissingDataError, match=r"with record\.json"):
        Record.read(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("name", ["record.json", "record.npz"])
def test_cut_files_are_refused(copy, name, keep):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(DataError, match="damaged"):
        Record.read(copy)


def test_missing_arrays_are_refused(copy):
    (copy / "record.npz").unlink()
    with pytest.raises(DataError, match="damaged"):
        Record.read(copy)


@pytest.mark.parametrize("text", ["[]", "3", "null", '{"schema": 1}', "{}"])
def test_other_json_is_refused(copy, text):
    (copy / "record.json").write_text(text)
    with pytest.raises(DataError, match="damaged"):
        Record.read(copy)


def test_another_schema_is_refused(copy):
    path = copy / "record.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99', 1))
    with pytest.raises(DataError, match="schema 99"):
        Record.read(copy)


def test_pickles_are_not_run(copy):
    evil = np.array([Path("x")], dtype=object)
    np.savez(copy / "record.npz", labels=evil, allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        Record.read(copy)


def test_flipped_bytes_are_refused_or_harmless(copy):
    path = copy / "record.npz"
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            Record.read(copy)
        except DataError as error:
            assert "damaged" in str(error)  # noqa: PT017


def test_reading_needs_no_torch(made):
    code = (
        "import sys; from spikedoor.records import Record\n"
        f"Record.read({str(made[1])!r}).to_json(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
