"""The audit of data: planted poison is named, clean data are left alone, words where it cannot."""

import csv
import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from spikedoor.attack import Attack, EventStatic, Patch
from spikedoor.data import Digits, DigitsDvs
from spikedoor.data.source import Inventory
from spikedoor.errors import ConfigError, DataError
from spikedoor.report.suspects import contact_sheet
from spikedoor.study.data_audit import audit_data

DIGITS = Digits()


@pytest.fixture(scope="module")
def poisoned():
    return Attack(trigger=Patch(size=2), rate=0.05).poison(DIGITS.load().train, 0)


@pytest.fixture(scope="module")
def folder(poisoned, tmp_path_factory):
    """The first 700 of the poisoned digits as PNG files, poisoned ones by their names."""
    root = tmp_path_factory.mktemp("own") / "digits"
    images = poisoned.batch(np.arange(700))
    for i, image in enumerate(images):
        file = root / str(poisoned.labels[i]) / f"{i:04}{'p' * int(poisoned.poisoned[i])}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(file)
    return root


def test_nothing_is_named_in_clean_data():
    found = audit_data(Digits(train_limit=700).inventory())
    assert found.verdict == "nothing found"
    assert found.by_class() == {}
    assert "beatrix" in found.refused
    assert sorted(found.order) == list(range(700))


def test_a_square_that_fires_is_named_in_recordings_and_nothing_in_clean_ones(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(tmp_path))
    clean = DigitsDvs(train_limit=400).load().train
    own = Attack(trigger=EventStatic(size=2, rate=100), rate=0.05).poison(clean, 0)
    names = tuple(map(str, range(len(own))))
    found = audit_data(Inventory(own, names))
    assert own.poisoned[found.suspicious].mean() > 0.9
    assert found.suspicious[own.poisoned].mean() > 0.9
    assert set(found.by_class()) == {"0"}
    assert audit_data(Inventory(clean, names)).verdict == "nothing found"


def test_few_samples_are_seen_in_few_dimensions():
    """In half as many dimensions as samples, whitening makes groups of chance."""
    assert audit_data(Digits(train_limit=120).inventory()).verdict == "nothing found"


def test_the_command_line_names_files_and_writes_what_it_found(cli, folder, tmp_path):
    code, out, err = cli("audit", "--data", folder, "--out", tmp_path / "found")
    assert (code, err) == (1, "")
    told = json.loads((tmp_path / "found" / "audit.json").read_text())
    names = {row["name"] for row in told["suspicious"]}
    truth = {f"{f.parent.name}/{f.name}" for f in folder.glob("*/*p.png")}
    assert len(names & truth) > 0.8 * len(truth)
    assert len(names & truth) > 0.8 * len(names)
    assert told["suspicious"][0]["name"] in out
    with (tmp_path / "found" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 700
    assert {row["name"] for row in rows[: len(names)]} == names
    assert {row["name"] for row in rows if row["suspicious"] == "True"} == names
    with Image.open(tmp_path / "found" / "suspects.png") as sheet:
        assert min(sheet.size) > 400


@pytest.mark.parametrize("count", [1, 2, 9, 10, 40])
def test_a_contact_sheet_has_no_more_room_than_its_samples_need(count):
    images = DIGITS.load().train.images[:count]
    captions = [("a class of a long name", f"folder/picture_{i:09}.png") for i in range(count)]
    sheet = contact_sheet(images, captions, f"{count} of 1437 samples named; the 40 worst")
    rows = sheet.axes[0].get_subplotspec().get_gridspec().nrows
    assert len(sheet.axes) - count < rows
    sheet.draw_without_rendering()
    drawn = sheet.get_tightbbox()
    assert drawn.x0 >= 0
    assert drawn.x1 <= sheet.get_figwidth()
    names = [axes.xaxis.label.get_window_extent() for axes in sheet.axes[:count]]
    titles = [axes.title.get_window_extent() for axes in sheet.axes[:count]]
    for row in (names, titles):
        assert not any(a.overlaps(b) for a, b in pairwise(row))


def test_trusted_samples_are_a_list_of_names_or_a_folder(cli, folder, tmp_path):
    clean = sorted(f"{f.parent.name}/{f.name}" for f in folder.glob("*/????.png"))
    (tmp_path / "list").write_text("\n".join(clean[::4]))
    code, out, err = cli("audit", "--data", folder, "--trusted", tmp_path / "list", "--json")
    assert (code, err) == (1, "")
    told = json.loads(out)
    assert told["trusted"] == len(clean[::4])
    assert "beatrix" in told["methods"]
    (tmp_path / "list").write_text("0/nowhere.png")
    code, out, err = cli("audit", "--data", folder, "--trusted", tmp_path / "list")
    assert (code, out) == (2, "")
    assert "0/nowhere.png" in err
    assert not (tmp_path / "runs" / "audit-2").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--data", "mnits"], 2, "did you mean 'mnist'"),
        (["--data", "./nowhere"], 3, "found nothing"),
        (["--data", "empty"], 3, "subfolder for each class"),
        (["--data", "one"], 3, "two classes or more"),
        (["--data", "broken"], 3, "a/1.png"),
        (["--data", "few"], 3, "8 samples of each class"),
        ([], 2, "--data"),
        (["--data", "one", "--sensor", "34"], 2, "HEIGHTxWIDTH"),
        (["--data", "digits", "--size", "8"], 2, "go with a folder"),
        (["model", "--out", "found"], 2, "--out goes with"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_a_line(cli, tmp_path, arguments, code, told):
    (tmp_path / "empty").mkdir()
    for name, classes in (("one", "a"), ("few", "ab"), ("broken", "ab")):
        for label in classes:
            (tmp_path / name / label).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / name / label / "0.png")
    (tmp_path / "broken" / "a" / "1.png").write_bytes(b"\x89PNG no picture")
    ended, out, err = cli("audit", *arguments)
    assert (ended, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_trusted_samples_of_other_data_are_refused():
    other = Digits(train_limit=100).load().train
    with pytest.raises(ConfigError, match="trusted samples"):
        audit_data(DIGITS.inventory(), type(other)(other.images[:, :, :4], other.labels,
                                                    other.classes, "other"))  # fmt: skip
    with pytest.raises(DataError, match="8 samples of each class"):
        audit_data(Digits(train_limit=50).inventory())
