"""On a terminal in colour unless NO_COLOR is set, in a pipe plain; and readers that go."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_cases import TINY, Terminal

from spikedoor.cli.names import KINDS, members

COLOUR = re.compile(r"\x1b\[(3[0-7]|9[0-7])m")
ESCAPE = "\x1b"


@pytest.fixture
def study(tmp_path):
    """Make an experiment and a sweep of it."""
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "sweep.toml").write_text('base = "tiny.toml"\nseeds = [0]\n')


VERBS = [
    ["run", "tiny.toml", "--no-twin"], ["run", "tiny.toml", "--no-twin", "--every-step"],
    ["sweep", "sweep.toml", "--dry-run"], ["sweep", "sweep.toml"],
    ["sweep", "sweep.toml", "--status"], ["sweep", "sweep.toml", "--explain"],
    ["table", "sweep.toml"], ["table", "sweep.toml", "--mean"],
    ["report", "runs/tiny-1"], ["report", "sweep.toml"],
    ["figures", "runs/tiny-1", "--kind", "traces", "--format", "png"],
    ["check", "tiny.toml", "sweep.toml"], ["preview", "tiny.toml"], ["probe", "runs/tiny-1"],
    ["list"], ["list", "triggers"], ["list", "presets"], ["show", "trigger", "patch"],
    ["new", "trigger", "mine"], ["env"], ["store", "size", "runs/store"],
    ["store", "verify", "runs/store"], ["store", "gc", "runs/store"],
]  # fmt: skip


@pytest.mark.usefixtures("study")
def test_in_a_pipe_every_verb_is_plain_even_where_colour_is_forced(cli, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for verb in VERBS:
        code, out, err = cli(*verb)
        assert (code, err) == (0, ""), verb
        assert ESCAPE not in out, verb
        assert not set(out) & set("─━│┃\r"), verb
    page = json.loads(cli("report", "runs/tiny-1", "--json")[1])
    assert page == {"page": "report.html", "bytes": Path("report.html").stat().st_size}
    (drawn,) = json.loads(cli(*next(v for v in VERBS if v[0] == "figures"), "--json")[1])
    assert (drawn["kind"], drawn["files"]) == ("traces", ["figures/traces.png"])
    cli("table", "sweep.toml", "--json", "--out", "table.json")
    assert json.loads(Path("table.json").read_text()) == json.loads(
        cli("table", "sweep.toml", "--json")[1]
    )


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_progress_has_colour_unless_it_is_not_wanted(cli, monkeypatch, colour):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    shown: dict[str, str] = {}
    for verb in (["run", "tiny.toml", "--no-twin"], ["sweep", "sweep.toml"]):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", seen := Terminal())
            assert cli(*verb)[0] == 0
        shown[verb[0]] = seen.getvalue()
    assert "train direct" in shown["run"]
    assert "of 9 stages" in shown["sweep"]
    assert bool(COLOUR.search(shown["run"])) == colour
    assert colour or not COLOUR.search(shown["sweep"])


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("width", [45, 60, 80])
def test_a_narrow_terminal_cuts_nothing_off(cli, monkeypatch, width):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    for verb in (
        ["run", "tiny.toml"],
        ["list", "triggers"],
        ["list", "presets"],
        ["check", "tiny.toml"],
    ):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", seen := Terminal())
            assert cli(*verb)[0] == 0
        shown = re.sub(r"\x1b\[\d*m", "", seen.getvalue())
        assert "…" not in shown, verb
        assert max(map(len, shown.splitlines())) <= width, verb


@pytest.mark.parametrize("verb", [["--help"], ["sweep", "--help"], ["list"], ["--version"]])
@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes as Unix has them")
def test_a_reader_that_goes_is_no_error(verb):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "spikedoor", *verb]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_list_counts_what_there_is_also_of_others(cli, tmp_path, monkeypatch):
    counts = json.loads(cli("list", "--json")[1])
    assert {kind: counts[kind] for kind in KINDS} == {kind: len(members(kind)) for kind in KINDS}
    monkeypatch.setenv("SPIKEDOOR_PLUGINS", str(tmp_path / "mine.py"))
    monkeypatch.setattr(
        "spikedoor.cli.catalogue.family", lambda kind: SimpleNamespace(names=lambda: ["one"])
    )
    more = json.loads(cli("list", "--json")[1])
    assert {more[kind] for kind in KINDS} == {1}
