"""What README says works: its Python block, its TOML block, and its commands."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spikedoor.study import load

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def block(language: str, containing: str) -> str:
    return next(body for kind, body in BLOCKS if kind == language and containing in body)


def test_the_python_example_runs(capsys):
    exec(compile(block("python", "import spikedoor"), "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["ann", "converted"]


COMMANDS = [
    line.partition("#")[0].strip()
    for line in block("sh", "spikedoor check").splitlines()
    if line.strip()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(command, tmp_path, monkeypatch):
    from spikedoor.cli import app

    monkeypatch.chdir(tmp_path)
    Path("experiment.toml").write_text(block("toml", "[data]"), encoding="utf-8")
    assert load("experiment.toml").rule.name == "conversion"
    if "runs/experiment-1" in command:
        CliRunner().invoke(app, ["run", "experiment.toml", "--no-twin"], catch_exceptions=False)
    result = CliRunner().invoke(app, shlex.split(command)[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_the_commands_of_defences_run(tmp_path, monkeypatch):
    from spikedoor.cli import app
    from spikedoor.study import load_sweep

    monkeypatch.chdir(tmp_path)
    Path("experiment.toml").write_text(block("toml", "[data]"), encoding="utf-8")
    CliRunner().invoke(app, ["run", "experiment.toml", "--set", "rule.ann.epochs=2"])
    for line in block("sh", "spikedoor list defences").splitlines():
        command = shlex.split(line.partition("#")[0])[1:]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        # An audit that finds the backdoor ends with 1.
        assert result.exit_code in ((0, 1) if command[0] == "audit" else (0,)), result.output
    Path("defended.toml").write_text(block("toml", "# defended.toml"), encoding="utf-8")
    assert len(load_sweep("defended.toml").experiments()) == 4


def test_the_experiment_on_events_runs(tmp_path, monkeypatch):
    from spikedoor.cli import app

    monkeypatch.chdir(tmp_path)
    Path("events.toml").write_text(block("toml", "# events.toml"), encoding="utf-8")
    quick = ["--set", "rule.training.epochs=1", "--set", "data.train_limit=100"]
    result = CliRunner().invoke(app, ["run", "events.toml", *quick], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "digits-dvs (simulated)" in result.output


def test_the_commands_of_a_sweep_run(tmp_path, monkeypatch):
    from spikedoor.cli import app

    monkeypatch.chdir(tmp_path)
    Path("rates.toml").write_text(block("toml", "# rates.toml"), encoding="utf-8")
    said = {}
    for line in block("sh", "spikedoor sweep").splitlines():
        command = shlex.split(line.partition("  #")[0])
        result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        said[line.partition("  #")[0].strip()] = result.output
    assert "20 experiments" in said["spikedoor sweep rates.toml --dry-run"]
    table = said['spikedoor table rates.toml --mean --where "T>=8"']
    assert "n=2" in table
    assert Path("rates.html").stat().st_size > 20_000
    assert {path.name for path in Path("figures").iterdir()} == {"rate.pdf", "overhead.pdf"}
    assert "missing" not in table


def test_the_files_it_points_to_are_there():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (root / path).exists(), path
