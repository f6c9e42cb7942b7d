"""Help that fits a screen: of every verb, with an example."""

import re
from pathlib import Path

import pytest

from spikedoor import errors
from spikedoor.cli import app
from spikedoor.cli.store import app as store

VERBS = [[], *([one.name] for one in app.registered_commands), ["store"]]
VERBS += [["store", one.name or one.callback.__name__] for one in store.registered_commands]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_fits_a_screen_and_has_an_example_that_names_the_verb(cli, verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cli(*verb, "--help")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(" ".join(["Usage: spikedoor", *verb]))
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines[1:])
    examples = out.partition("Examples:\n")[2]
    assert f"  {' '.join(['spikedoor', *verb])}" in examples
    assert cli(*verb, "-h")[1] == out


@pytest.mark.parametrize("verb", VERBS[1:], ids=" ".join)
def test_every_verb_can_be_quiet_or_verbose(cli, verb):
    out = cli(*verb, "--help")[1]
    assert ("--quiet" in out) == ("--verbose" in out) == (verb != ["store"])


def test_exit_codes_of_all_errors_are_told(cli):
    told = re.search(r"^  Exit: (.*)$", cli("--help")[1], re.MULTILINE)
    assert told is not None
    codes = {int(code) for code in re.findall(r"\d+", told[1])}
    kinds = (getattr(errors, name) for name in errors.__all__ if name.endswith("Error"))
    assert {kind.exit_code for kind in kinds} | {0, 130} == codes
    page = Path(__file__).parents[1] / "docs" / "command-line.md"
    documented = re.findall(r"^\| (\d+) \|", page.read_text("utf-8"), re.MULTILINE)
    assert {int(code) for code in documented} == codes | {141, 143}


def test_a_mistake_points_to_the_help_of_its_verb(cli):
    assert "(see spikedoor run --help)" in cli("run", "x.toml", "--sed", 1)[2]
    assert "(see spikedoor store --help)" in cli("store", "siz")[2]
