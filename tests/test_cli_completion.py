"""What a shell offers after a tab: without torch, and the same names that there are."""

import subprocess
import sys

import pytest

from spikedoor.cli import names
from spikedoor.cli.catalogue import family


@pytest.fixture
def complete(cli, monkeypatch):
    """Return what bash would be offered for the last of some words."""

    def offered(*words):
        monkeypatch.setenv("_SPIKEDOOR_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["spikedoor", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        code, out, err = cli()
        assert (code, err) == (0, "")
        return out.split()

    return offered


@pytest.mark.parametrize("kind", names.KINDS)
def test_members_are_those_that_are_registered(kind):
    members = family(kind)
    ours = [n for n in members.names() if members[n].__module__.startswith("spikedoor.")]
    assert names.members(kind) == ours
    assert names.singular(kind) == members.kind


def test_verbs_options_kinds_and_members(complete):
    assert complete("sh") == ["show"]
    assert complete("store", "v") == ["verify"]
    assert complete("run", "--ever") == ["--every-step"]
    assert complete("run", "--q") == ["--quiet"]
    assert complete("list", "trig") == ["triggers"]
    assert complete("show", "trigger", "pat") == ["patch"]
    assert complete("show", "losses", "") == names.members("losses")
    assert complete("show", "preset", "badnets-pytorch-mnist-") == ["badnets-pytorch-mnist-short"]
    assert complete("show", "nonsense", "") == []
    assert complete("-q", "show", "rule", "dir") == ["direct"]


def test_values_of_options(complete):
    assert complete("defend", "runs/x", "--with", "fine") == ["fine-pruning", "fine-tuning"]
    assert complete("audit", "runs/x", "--data", "cifar1") == ["cifar10", "cifar10-dvs", "cifar100"]
    assert complete("table", "x.toml", "--format", "par") == ["parquet"]
    assert complete("figures", "x.toml", "--kind", "c") == ["converters", "corners"]
    assert complete("new", "conv") == ["converter"]


def test_experiments_are_files_and_presets_and_folders_are_left_to_the_shell(complete, tmp_path):
    (tmp_path / "digit-mine.toml").touch()
    (tmp_path / "other.toml").touch()
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "first.toml").touch()
    for verb in ("run", "check", "preview", "reproduce"):
        found = complete(verb, "digit")
        assert found[0] == "digit-mine.toml"
        assert "digits" in found
        assert "other.toml" not in found
    assert complete("run", "stud") == []
    assert complete("run", "studies/") == ["studies/first.toml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(cli, shell, monkeypatch):
    monkeypatch.setenv("_SPIKEDOOR_COMPLETE", f"source_{shell}")
    code, out, err = cli()
    assert (code, err) == (0, "")
    assert f"_SPIKEDOOR_COMPLETE=complete_{shell}" in out


def test_nothing_heavy_is_loaded():
    code = (
        "import os, sys\n"
        "os.environ |= {'_SPIKEDOOR_COMPLETE': 'complete_bash', 'COMP_CWORD': '3',\n"
        "               'COMP_WORDS': 'spikedoor\\nshow\\nnetwork\\nv'}\n"
        "from spikedoor.cli import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["vgg", "[]"], done
