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
    result = CliRunner().invoke(app, shlex.split(command)[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_the_files_it_points_to_are_there():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (root / path).exists(), path
