"""What `spikedoor new` writes works as it stands: its own test passes, and a run takes it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import spikedoor
from spikedoor.cli.new import Kind

KINDS = get_args(Kind)


def run(*arguments):
    """Run Python in a fresh process, so that nothing written joins the families of this one."""
    source = str(Path(spikedoor.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_every_kind_passes_the_test_that_comes_with_it(cli):
    for kind in KINDS:
        code, out, err = cli("new", kind, f"brand-new-{kind}", "--out", f"own_{kind}.py")
        assert (code, err) == (0, "")
        assert f"test_own_{kind}.py" in out
    written = "".join(path.read_text() for path in Path().glob("*.py"))
    assert "my-" not in written
    assert "My" not in written
    assert "my_plugin" not in written
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", ".")
    assert done.returncode == 0, done.stdout


SWEEP = """
[base]
data = { name = "digits", train_limit = 300, test_limit = 100 }
network = { name = "small-conv", width = 4, pool = "avg" }
attack = { rate = 0.1, trigger = { name = "own-trigger" } }
[base.rule]
name = "conversion"
steps = 4
ann = { epochs = 1 }
converter = { name = "own-converter" }
[base.defence]
clean = 0.3
[grid]
defence.method = ["own-detector", "own-eliminator"]
"""


def test_a_sweep_in_processes_of_its_own_takes_what_was_written(cli):
    given = []
    for kind in ("trigger", "converter", "detector", "eliminator"):
        cli("new", kind, f"own-{kind}")
        given += ["--plugin", f"own_{kind}.py"]
    Path("sweep.toml").write_text(SWEEP)
    assert "unknown trigger 'own-trigger'" in cli("sweep", "sweep.toml", "--dry-run")[2]
    done = run("-m", "spikedoor", *given, "sweep", "sweep.toml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "2 experiments" in done.stdout
    assert " 0 failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("triger", "x"), "'triger' is not one of 'trigger'"),
        (("trigger", "patch"), "trigger 'patch' is there already"),
        (("eliminator", "clp"), "defence 'clp' is there already"),
        (("trigger", "My Trigger"), "lower-case words and hyphens, got 'My Trigger'"),
        (("trigger", "x", "--out", "x.txt"), "a Python file such as mine.py, got 'x.txt'"),
        (("trigger", "x", "--out", "a-b.py"), "a Python file such as mine.py, got 'a-b.py'"),
        (("trigger", "x", "--out", "there.py"), "there.py: there is a file already"),
        (("trigger", "x", "--out", "tested.py"), "test_tested.py: there is a file already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_it_does_not_write_is_one_line(cli, arguments, found):
    for name in ("there.py", "test_tested.py"):
        Path(name).write_text("mine")
    code, out, err = cli("new", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert found in err
    assert sorted(path.name for path in Path().iterdir()) == ["test_tested.py", "there.py"]
    assert Path("there.py").read_text() == "mine"
