"""The verb audit on a NIR file."""

import json

import pytest
from defence_cases import case
from typer.testing import CliRunner

from spikedoor.cli import app

pytest.importorskip("nir", reason="pip install spikedoor[nir]")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    from spikedoor.victim import nir

    path = tmp_path_factory.mktemp("nir") / "model.nir"
    nir.write(case("direct", "patch").stage, path)
    return str(path)


def audit(*arguments):
    return CliRunner().invoke(app, ["audit", *arguments])


def test_a_file_is_audited_as_the_victim_it_was_written_from(file, tmp_path):
    of = case("direct", "patch")
    steps = str(of.stage.steps)
    reset = of.stage.blueprint.neuron.reset
    found = audit(file, "--data", "digits", "--steps", steps, "--reset", reset, "--json")
    assert found.exit_code in (0, 1), found.output
    told = json.loads(found.stdout)
    assert told["stage"] == "direct"
    right = told["clean_accuracy"]
    assert right["successes"] > 0.6 * right["count"]
    by = {one["method"]: one for one in told["findings"]}
    assert len(by) >= 4
    assert by["tmpbd"]["scores"]


def test_a_file_that_is_read_in_another_way_than_it_was_meant_is_seen_to_know_nothing(file):
    found = audit(file, "--data", "digits", "--steps", "2", "--dt", "1e-7")
    assert "the verdict says nothing" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name them with --data"),
        (("--data", "digits"), "say them with --steps"),
        (("--data", "digits", "--steps", "4", "--dt", "0"), "seconds above 0"),
        (("--data", "digits-dvs", "--steps", "4"), "is given 2; are the samples of the size"),
    ],
)
def test_what_the_file_does_not_say_is_asked_for(file, arguments, told):
    assert told in str(audit(file, *arguments).exception)


@pytest.mark.parametrize("verb", [("audit",), ("repair", "--with", "fine-tuning", "--out", "new")])
def test_a_file_that_is_missing_is_told_before_anything_is_asked(cli, file, verb):
    near = file.replace("model", "modle")
    code, _, err = cli(*verb, near)
    assert (code, err.count("\n")) == (3, 1)
    assert f"{near}: expected a NIR file, found nothing there; did you mean '{file}'" in err


def test_options_of_a_file_are_refused_elsewhere():
    found = audit("--data", "digits", "--steps", "4").exception
    assert "--steps goes with a NIR file" in str(found)
