"""What docs/extending.md says works: its commands, its Python, and its package."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import spikedoor
from spikedoor import testing
from spikedoor.cli.catalogue import KINDS, family

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCKS if kind == language]


def run(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a fresh process, so that nothing joins the families of this one."""
    source = str(Path(spikedoor.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [source, path]))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)


def test_the_commands_and_the_package_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (commands,) = blocks("sh")
    for line in commands.splitlines():
        words = shlex.split(line.partition("  #")[0])
        if words[0] == "python":  # the tests that come with it: test_cli_new.py runs them
            assert Path(words[-1]).is_file()
            continue
        done = run("-m", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    (text,) = blocks("toml")
    points = tomllib.loads(text)["project"]["entry-points"]
    info = tmp_path / "installed.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corner-cross\nVersion: 1.0\n")
    lines = [
        line
        for group, names in points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    done = run("-m", "spikedoor", "show", "trigger", "corner-cross", path=str(tmp_path))
    assert "Draw a cross" in done.stdout, done.stderr


def test_the_examples_in_python_run(capsys):
    for code in blocks("python"):
        exec(compile(code, "extending.md", "exec"), {})
    before, after, accuracy = map(float, capsys.readouterr().out.split())
    assert after < before
    assert accuracy > 0.9


def test_it_names_every_check_and_every_group_of_entry_points():
    told = set(re.findall(r"`(check_\w+|planted)\b", TEXT))
    assert told == set(testing.__all__)
    groups = TEXT[TEXT.index("The groups are") : TEXT.index("# pyproject.toml")]
    named = {name.removeprefix("spikedoor.") for name in re.findall(r"`([\w.-]+)`", groups)}
    assert named == {family(kind).kind for kind in KINDS}


def test_the_trigger_of_the_tutorial_keeps_what_it_says_triggers_keep(tmp_path):
    page = (DOCS / "tutorials" / "own-trigger.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[0]
    (tmp_path / "edge.py").write_text(code, encoding="utf-8")
    check = "import edge, spikedoor.testing as t; t.check_trigger(edge.Edge)"
    done = run("-c", check, path=str(tmp_path))
    assert done.returncode == 0, done.stderr
