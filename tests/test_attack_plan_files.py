"""Files of plans: written whole, read back the same, and refused when changed."""

import json

import pytest
from plan_cases import CLASSES, balanced

from spikedoor.attack.draw import make_plan
from spikedoor.attack.labels import AllToOne
from spikedoor.attack.plan import PoisonPlan
from spikedoor.errors import DataError, MissingDataError, OutputError


def test_saved_and_loaded(tmp_path):
    plan = make_plan(balanced(), 0.29, AllToOne(label=3), CLASSES, seed=8)
    path = tmp_path / "new" / "plan.json"
    plan.save(path)
    plan.save(path)
    assert PoisonPlan.load(path).to_json() == plan.to_json()
    assert [file.name for file in path.parent.iterdir()] == ["plan.json"]


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    old = make_plan(balanced(), 0.1, AllToOne(), CLASSES, seed=0)
    old.save(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        OutputError, match=r"plan\.json: could not be written \(No space left on device\)"
    ):
        make_plan(balanced(), 0.2, AllToOne(), CLASSES, seed=0).save(path)
    assert PoisonPlan.load(path).to_json() == old.to_json()
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    plan = make_plan(balanced(), 0.1, AllToOne(), CLASSES, seed=0)
    with pytest.raises(OutputError, match="cannot write here"):
        plan.save(tmp_path / "file" / "plan.json")


def test_a_plan_from_before_there_was_cover_has_none():
    plan = PoisonPlan.from_json({key: GOOD[key] for key in GOOD if not key.startswith("cover")})
    assert (plan.cover_count, plan.cover_rate, plan.cover_set_rate) == (0, 0.0, 0.0)
    assert plan.indices.tolist() == [1, 4, 9]


GOOD = {
    "total": 10,
    "rate": 0.3,
    "seed": 0,
    "count": 3,
    "indices": [1, 4, 9],
    "targets": [0, 0, 0],
    "cover": [0, 8],
    "cover_rate": 0.2,
}


def test_the_file_that_the_next_test_tampers_with_is_good():
    plan = PoisonPlan.from_json(GOOD)
    assert (plan.count, plan.cover_count, plan.cover_set_rate) == (3, 2, 0.2)
    assert plan.to_json() == GOOD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": [1, 4, 4]}, "comes twice"),
        ({"indices": [4, 1, 9]}, "not sorted"),
        ({"indices": [1, 4, 10]}, "outside 0 to 9"),
        ({"indices": [-1, 4, 9]}, "indices is not a list of whole numbers"),
        ({"indices": [1, 4, 9.0]}, "indices is not a list of whole numbers"),
        ({"indices": [1, True, 9]}, "indices is not a list of whole numbers"),
        ({"indices": [1, 4, 2**70]}, "indices is not a list of whole numbers"),
        ({"indices": "149"}, "indices is not a list of whole numbers"),
        ({"indices": [1, 4]}, "count is 3, but 2 are listed"),
        ({"count": 2}, "count is 2, but 3 are listed"),
        ({"count": 2, "indices": [1, 4], "targets": [0, 0]}, "expected 3 indices, got 2"),
        ({"targets": [0, 0]}, "expected 3 labels, got 2"),
        ({"targets": [0, 0, -1]}, "targets is not a list"),
        ({"rate": 0.5}, "expected 5 indices, got 3"),
        ({"rate": 1.3}, "rate is not from 0 to 1, got 1.3"),
        ({"rate": float("nan")}, "rate is not from 0 to 1"),
        ({"rate": "0.3"}, "rate is not a number"),
        ({"total": -10}, "total is not a whole number"),
        ({"total": 3}, "expected 0 indices"),
        ({"seed": None}, "seed is not a whole number"),
        ({"cover": [0, 9]}, "a cover sample is poisoned as well"),
        ({"cover": [8, 0]}, "cover indices are not sorted"),
        ({"cover": [0]}, "expected 2 cover indices, got 1"),
        ({"cover": [0, 10]}, "cover indices lies outside 0 to 9"),
        ({"cover": "08"}, "cover is not a list of whole numbers"),
        ({"cover_rate": 2}, "cover rate is not from 0 to 1, got 2"),
        ({"cover_rate": None}, "cover_rate is not a number"),
        ({"more": 1}, "expected the keys total, rate"),
    ],
)
def test_tampered_files_are_refused(tmp_path, change, message):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(DataError, match=f"plan.json: poison plan: .*{message}"):
        PoisonPlan.load(path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\x00", "[" * 100_000])
def test_wrong_files_are_refused(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"plan\.json"):
        PoisonPlan.load(path)


def test_other_unreadable_files(tmp_path):
    with pytest.raises(MissingDataError, match="no poison plan at"):
        PoisonPlan.load(tmp_path / "plan.json")
    with pytest.raises(DataError, match="cannot read poison plan"):
        PoisonPlan.load(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot read poison plan"):
        PoisonPlan.load(tmp_path / "bytes.json")
