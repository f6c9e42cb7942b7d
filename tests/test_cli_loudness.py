"""Quiet: results and errors alone. Verbose: timings, keys and tracebacks besides."""

import json
import re

import pytest
from cli_cases import Terminal

from spikedoor import progress

SWEEP = """
seeds = [0]
[base]
data = { name = "digits", train_limit = 100, test_limit = 40 }
network = { name = "small-conv", width = 4, pool = "avg" }
attack = { rate = 0.1, trigger = { name = "patch", size = 2 } }
rule = { name = "conversion", steps = 2, ann = { epochs = 1 } }
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP)
    return path


def test_quiet_prints_the_result_alone(cli, tiny):
    told = {flag: cli("run", tiny, *flag) for flag in ((), ("--quiet",), ("-q",))}
    assert "Took" in told[()][1]
    for flag in (("--quiet",), ("-q",)):
        code, out, err = told[flag]
        assert (code, err) == (0, "")
        assert "Took" not in out
        assert re.search(r"\nRecord: runs/tiny-\d\n$", out)
    assert cli("-q", "run", tiny)[1].endswith("Record: runs/tiny-4\n")


def test_quiet_shows_no_progress_on_a_terminal_and_that_ends_with_the_call(
    cli, tiny, sweep, monkeypatch
):
    monkeypatch.setenv("TERM", "xterm")
    for verb in (["run", tiny, "--no-twin"], ["sweep", sweep]):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", quiet := Terminal())
            assert cli(*verb, "--quiet")[0] == 0
        assert quiet.getvalue() == ""
        assert not progress.silent.get()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", usual := Terminal())
        cli("run", tiny, "--no-twin")
    assert "train direct" in usual.getvalue()


def test_quiet_keeps_errors_and_what_failed(cli, sweep, monkeypatch):
    def broken(self, ann, batches, steps):
        raise ValueError("no luck")

    assert cli("run", "none.toml", "-q")[2].startswith("error: none.toml")
    monkeypatch.setattr("spikedoor.rules.conversion.Percentile.convert", broken)
    code, out, err = cli("sweep", sweep, "-q")
    assert (code, out) == (1, "")
    assert "ValueError: no luck" in err
    assert "Traceback" not in err
    code, _, err = cli("sweep", sweep, "-v")
    assert code == 1
    assert 'raise ValueError("no luck")' in err


def test_verbose_tells_what_was_made_and_what_was_kept(cli, sweep):
    code, _, err = cli("sweep", sweep, "--verbose")
    assert code == 0
    assert re.search(r"^ +\d+\.\d\d s  data digits: read in \d+\.\d\d s$", err, re.MULTILINE)
    made = re.findall(r"(\w+) ([0-9a-f]{8}) .*: made in \d+\.\d\d s", err)
    assert {kind for kind, _ in made} == {"poison", "ann", "converted", "answers", "activity"}
    explained = json.loads(cli("sweep", sweep, "--explain", "--json")[1])
    assert sorted(key for _, key in made) == sorted(one["key"][:8] for one in explained)
    _, again, err = cli("sweep", sweep, "--set", "base.rule.steps=3", "-v")
    assert re.search(r"converted [0-9a-f]{8} .*: from the store", err)
    assert "from the store" in again
    assert cli("sweep", sweep, "--set", "base.rule.steps=4")[2] == ""


def test_verbose_keeps_results_for_programs(cli, tiny):
    code, out, _ = cli("run", tiny, "-v", "--json")
    assert (code, json.loads(out)["folder"]) == (0, "runs/tiny-1")


def test_verbose_shows_where_an_error_comes_from(cli):
    assert cli("run", "none.toml")[2].count("\n") == 1
    code, out, err = cli("run", "none.toml", "--verbose")
    assert (code, out) == (2, "")
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("error: none.toml")


@pytest.mark.parametrize(
    "flags", [["list", "-q", "-v"], ["-q", "list", "-v"], ["-v", "-q", "list"]]
)
def test_both_at_once_are_refused(cli, flags):
    assert cli(*flags) == (2, "", "error: expected --quiet or --verbose, got both\n")
