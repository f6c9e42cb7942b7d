"""The verbs about many experiments: what they print, how they end, what they leave."""

import csv
import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from spikedoor.errors import ConfigError, DataError, MissingDataError
from spikedoor.plugins import VARIABLE
from spikedoor.records import Store
from spikedoor.study import Campaign, load_sweep
from spikedoor.study.index import Index, identity
from spikedoor.study.nodes import walk
from spikedoor.study.results import rows

TEXT = """
seeds = [0, 1]
[base]
data = { name = "digits", train_limit = 200, test_limit = 60 }
network = { name = "small-conv", width = 4, pool = "avg" }
[grid]
attack.rate = [0.05, 0.1]
[[parts]]
label = "LR_C"
[parts.set.rule]
name = "conversion"
steps = 3
ann = { epochs = 1, batch = 64 }
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "rates.toml"
    path.write_text(TEXT)
    return path


def test_a_sweep_from_dry_run_to_table(cli, tmp_path, sweep):
    code, out, _ = cli("sweep", sweep, "--dry-run")
    assert code == 0
    assert "4 experiments" in out
    assert "No estimate: no 'poison, ann, answers, converted, activity'" in out
    assert not (tmp_path / "runs").exists()
    code, out, _ = cli("table", sweep)
    assert (code, out.count("missing: not run yet")) == (0, 8)

    code, _, err = cli("table", sweep, "--where", "stage=convrted", "--where", "T>=1")
    assert (code, err.count("\n")) == (0, 1)
    assert "no row has stage=convrted; did you mean 'converted'?" in err

    code, out, err = cli("sweep", sweep)
    assert (code, err) == (0, "")
    assert "4 experiments, 48 stages: 48 made, 0 from the store, 0 failed" in out
    code, out, _ = cli("sweep", sweep)
    assert "0 made, 48 from the store" in out
    code, out, _ = cli("sweep", sweep, "--dry-run", "--json")
    found = json.loads(out)
    assert (found["experiments"], found["todo"]) == (4, {})
    assert found["alone"]["ann"] == 8
    assert found["shared"]["ann"] == 6  # two seeds: two rates and a clean twin each
    assert "All is done." in cli("sweep", sweep, "--dry-run")[1]

    code, out, _ = cli("table", sweep, "--format", "csv", "--where", "stage=converted")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["attack.rate"], r["seed"], r["T"]) for r in rows] == [
        ("0.05", "0", "3"), ("0.05", "1", "3"), ("0.1", "0", "3"), ("0.1", "1", "3"),
    ]  # fmt: skip
    code, out, _ = cli("table", sweep, "--by", "attack.rate", "--where", "stage=ann", "--json")
    assert [(r["attack.rate"], r["runs"]) for r in json.loads(out)] == [(0.05, 2), (0.1, 2)]
    target = tmp_path / "deep" / "table.md"
    code, out, _ = cli("table", sweep, "--mean", "--format", "md", "--out", target)
    assert (code, out) == (0, "")
    written = target.read_text()
    assert "| attack.rate | stage | T | runs |" in written
    assert written.endswith("\n")


def test_status_and_explain(cli, tmp_path, sweep, monkeypatch):
    def broken(self, ann, batches, steps):
        raise ValueError("no luck")

    with monkeypatch.context() as patch:
        patch.setattr("spikedoor.rules.conversion.Percentile.convert", broken)
        code, out, err = cli("sweep", sweep)
    assert code == 1
    assert "6 failed, 20 not tried for that" in out
    assert err.count("ValueError: no luck") == 12  # as it happens, and at the end
    code, out, _ = cli("sweep", sweep, "--status")
    assert code == 0
    assert out.splitlines()[1].split() == ["LR_C", "0", "4", "0"]
    assert out.count("failed: converted") == 6
    states = json.loads(cli("sweep", sweep, "--status", "--json")[1])
    assert {one["state"] for one in states["experiments"]} == {"failed"}
    code, out, _ = cli("sweep", sweep, "--explain")
    why = [line.split(maxsplit=2) for line in out.splitlines()]
    assert {text for kind, _, text in why if kind == "ann"} == {"in the store"}
    assert {text for kind, _, text in why if kind == "converted"} == {
        "failed before: ValueError: no luck"
    }
    explained = json.loads(cli("sweep", sweep, "--explain", "--json")[1])
    assert {one["kind"] for one in explained} == {
        "poison",
        "ann",
        "converted",
        "answers",
        "activity",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "none.toml"], "none.toml: cannot be read"),
        (["sweep", "FILE", "--set", "seed=[1]"], "seed: unknown key; did you mean 'seeds'?"),
        (["sweep", "FILE", "--set", "grid.attack.rate=[7]"], "attack.rate=7: attack.rate: input"),
        (["sweep", "FILE", "--store", "FILE"], "expected the folder of a store, found a file"),
        (["sweep", "FILE", "--address", "auto"], "--address: expected only with --engine ray"),
        (["sweep", "FILE", "--workers", "-1"], "--workers"),
        (["table", "FILE", "--where", "stag=ann"], "unknown column 'stag'; did you mean 'stage'?"),
        (["table", "FILE", "--format", "parquet"], "name a file with --out"),
        (["table", "FILE", "--format", "docx"], "docx"),
    ],
)
def test_mistakes_are_one_line(cli, sweep, arguments, message):
    code, out, err = cli(*(sweep if a == "FILE" else a for a in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_check_knows_a_sweep(cli, sweep):
    code, out, _ = cli("check", sweep)
    assert code == 0
    assert "sweep of 4 experiments" in out
    (found,) = json.loads(cli("check", sweep, "--json")[1])
    assert len(found["experiments"]) == 4


def test_interrupted_it_keeps_what_is_done_and_goes_on(tmp_path, sweep):
    command = [sys.executable, "-m", "spikedoor", "sweep", str(sweep), "--set", "seeds=[0,1,2,3]"]
    process = subprocess.Popen(
        [*command, "--set", "parts=[{set={rule={name='conversion',ann={epochs=4}}}}]"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    # An entry that is still being written aside is none yet.
    while not list(tmp_path.glob(f"runs/store/entries/??/{64 * '?'}/entry.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err.strip() == "interrupted; nothing is half-written"
    assert list(Store(tmp_path / "runs" / "store", create=False).entries())


WITHOUT_TORCH = """
import sys
class Without:
    def __init__(self, finder):
        self._finder = finder
    def find_spec(self, name, *more):
        return None if name.split('.')[0] == 'torch' else self._finder.find_spec(name, *more)
    def __getattr__(self, name):
        return getattr(self._finder, name)
sys.meta_path = [Without(finder) for finder in sys.meta_path]
from spikedoor.cli import main
for verb in sys.argv[1:]:
    try:
        main(verb.split())
    except SystemExit as ended:
        print("ended with", ended.code)
"""


def test_what_a_sweep_has_made_is_read_without_torch(cli, tmp_path, sweep):
    assert cli("sweep", sweep)[0] == 0
    verbs = (
        "table rates.toml --json",
        "report rates.toml --out page.html",
        "report rates.toml --leaderboard --out board.html",
        "figures rates.toml --kind rate,migration --format svg",
    )
    told = "".join(f"{cli(*verb.split())[1]}ended with 0\n" for verb in verbs)
    pages = {name: (tmp_path / name).read_bytes() for name in ("page.html", "board.html")}
    away = tmp_path / "away"  # as on another machine
    away.mkdir()
    for name in ("rates.toml", "runs"):
        (tmp_path / name).rename(away / name)
    command = [
        sys.executable,
        "-c",
        WITHOUT_TORCH,
        *verbs,
        "table rates.toml --set seeds=[7]",
        "env",
    ]
    found = subprocess.run(command, cwd=away, capture_output=True, text=True, timeout=60)
    assert found.stdout == f"{told}ended with 3\nended with 1\n", found.stderr
    planned, described = found.stderr.splitlines()
    assert planned.startswith("error: rates.toml: torch is not installed, and the store")
    assert described.startswith("error: torch is not installed")
    assert {name: (away / name).read_bytes() for name in pages} == pages


@pytest.mark.parametrize(
    ("error", "why"), [(MissingDataError, "the data is not"), (ConfigError, "a component is not")]
)
def test_a_page_that_cannot_show_the_triggers_says_why(
    cli, tmp_path, sweep, monkeypatch, error, why
):
    def gone(*_):
        raise error("digits: gone")

    monkeypatch.setattr("spikedoor.study.triggers.triggers", gone)
    assert cli("report", sweep)[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert "digits: gone" in page
    assert f"Not shown, for {why}" in page


def test_commands_to_go_on_with_name_settings_and_plug_ins(cli, tmp_path, sweep, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "mine.py").write_text("")
    small = ("--set", "seeds=[0]", "--set", "grid={'attack.rate'=[0.1]}", "--plugin", "mine.py")
    told = cli("sweep", sweep, *small)[1].partition("See them with: ")[2].splitlines()[0]
    code, out, _ = cli(*shlex.split(told)[1:])
    assert (code, "missing" in out) == (0, False)
    assert " --plugin mine.py" in told
    assert cli("report", sweep, "--plugin", "mine.py")[0] == 0
    assert " --plugin mine.py" in (tmp_path / "report.html").read_text()


def test_an_index_is_found_by_what_the_file_says_and_read_with_care(tmp_path, sweep):
    store = Store(tmp_path / "store")
    name = identity(sweep)
    campaign = Campaign.of(load_sweep(sweep), store)
    campaign.index.write(store, name)
    (tmp_path / "else").mkdir()
    copy = shutil.copy(sweep, tmp_path / "else" / "other.toml")
    assert identity(copy) == name != identity(copy, ["seeds=[0]"])
    assert Index.read(store, "other") is None
    found = Index.read(store, name)
    assert found == campaign.index
    leaf = campaign.leaves()[-1]
    order = [node.key for node in walk(leaf) if node.stored]
    assert list(found.behind(leaf.key)) == order
    path = store.folder / "indexes" / f"{name}.json"
    whole = path.read_text()
    for wrong in (
        whole[:-9],
        whole.replace(leaf.key, 64 * "0", 1),
        whole.replace("answers", "ann"),
    ):
        assert wrong != whole
        path.write_text(wrong)
        with pytest.raises(DataError, match="the index is damaged"):
            Index.read(store, name)


def test_the_index_of_a_sweep_stays_as_long_as_its_pin(cli, tmp_path, sweep):
    store, name = Store(tmp_path / "store"), identity(sweep)
    campaign = Campaign.of(load_sweep(sweep), store)
    campaign.index.write(store, name)
    store.pin("rates", [node.key for node in campaign.nodes()])
    collect = ("store", "gc", "store", "--grace", 0, "--delete")
    assert cli(*collect)[0] == 0
    assert Index.read(store, name) == campaign.index
    store.unpin("rates")
    code, out, _ = cli(*collect)
    assert (code, out.split()[:1]) == (0, ["indexes"])
    assert Index.read(store, name) is None


def test_an_index_that_asks_for_other_steps_than_there_are_is_refused(cli, tmp_path, sweep):
    assert cli("sweep", sweep)[0] == 0
    store, name = Store(tmp_path / "runs" / "store"), identity(sweep)
    path = store.folder / "indexes" / f"{name}.json"
    told = json.loads(path.read_text())

    def read(steps):
        told["readings"][0]["steps"] = dict.fromkeys(told["readings"][0]["steps"], steps)
        path.write_text(json.dumps(told))
        return rows(Index.read(store, name), store)

    with pytest.raises(DataError, match="expected answers after 400 steps"):
        read(400)
    for wrong in (0, -3):
        with pytest.raises(DataError, match="the index is damaged"):
            read(wrong)
