"""The verb repair: a network whose trigger nobody knows, by clean samples."""

import copy
import json

import pytest
import torch
from defence_cases import case
from typer.testing import CliRunner

from spikedoor.cli import app
from spikedoor.victim import Victim

QUICK = "{ name = 'fine-tuning', training = { epochs = 1 } }"


def repair(*arguments):
    return CliRunner().invoke(app, ["repair", *map(str, arguments)])


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("victim") / "victim"
    Victim((case("direct", "patch").stage,)).save(folder)
    return folder


def test_a_victim_is_repaired_into_a_new_folder(victim, tmp_path):
    out = tmp_path / "repaired"
    done = repair(victim, "--with", QUICK, "--data", "digits", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["method"]["name"] == "fine-tuning"
    assert told["before"]["count"] == told["after"]["count"] == 360
    made, given = Victim.load(out).final, Victim.load(victim).final
    assert made.notes["repair"]
    changed = [
        not (a == b).all()
        for a, b in zip(made.network.parameters(), given.network.parameters(), strict=True)
    ]
    assert all(changed)


def test_a_network_at_chance_is_told_of(tmp_path):
    stage = copy.deepcopy(case("direct", "patch").stage)
    torch.nn.init.zeros_(stage.network.head.layer.weight)
    Victim((stage,)).save(tmp_path / "blank")
    quick = QUICK.replace("epochs = 1", "epochs = 1, optimiser = { name = 'adam', lr = 1e-12 }")
    how = ("--with", quick, "--data", "digits", "--out", tmp_path / "repaired")
    assert "knew next to nothing" in repair(tmp_path / "blank", *how).stdout


def test_a_nir_file_is_repaired_into_another(tmp_path):
    pytest.importorskip("nir", reason="pip install spikedoor[nir]")
    from spikedoor.victim import nir

    stage = case("direct", "patch").stage
    path, out = nir.write(stage, tmp_path / "model.nir"), tmp_path / "repaired.nir"
    reset = stage.blueprint.neuron.reset
    how = ("--data", "digits", "--steps", stage.steps, "--reset", reset)
    done = repair(path, "--with", QUICK, *how, "--out", out)
    assert done.exit_code == 0, done.output
    assert "Audit the result" in done.stdout
    again = nir.read(out, stage.blueprint.classes, stage.steps, reset=reset)
    assert len(again.stages) == 1
    assert "there is a file already" in str(repair(path, "--with", QUICK, "--out", out).exception)


def test_a_repair_that_nir_cannot_express_is_kept_as_a_victim(victim, tmp_path):
    pytest.importorskip("nir", reason="pip install spikedoor[nir]")
    clamped = "{ name = 'ndsbm', epochs = 1 }"
    out = tmp_path / "clamped.nir"
    done = repair(victim, "--with", clamped, "--data", "digits", "--out", out)
    assert "no word for bounds on the current; it is repaired, and kept" in str(done.exception)
    assert not out.exists()
    assert Victim.load(tmp_path / "clamped").final.notes["repair"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--with", "strip"), "expected an eliminator .* got 'strip'"),
        (("--with", "abl-unlearning"), "needs the victim's training set"),
        (("--with", QUICK), "name them with --data"),
        (("--with", QUICK, "--steps", "3"), "goes with a NIR file"),
    ],
)
def test_what_cannot_repair_is_refused_before_anything_is_read(victim, tmp_path, arguments, told):
    done = repair(victim, *arguments, "--out", tmp_path / "new")
    assert done.exception is not None
    with pytest.raises(type(done.exception), match=told):
        raise done.exception
    assert not (tmp_path / "new").exists()
