"""The command line: what it prints, how it ends, what it leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_cases import files

import spikedoor
from spikedoor.records import Record


def spawn(*arguments, **options):
    command = [sys.executable, "-m", "spikedoor", *map(str, arguments)]
    source = str(Path(spikedoor.__file__).parent.parent)
    environment = {**options.pop("env", os.environ), "PYTHONPATH": source}
    pipes = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **options})


# Help and version


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_and_version_load_nothing_heavy(arguments):
    code = (
        "import sys, time\n"
        "start = time.process_time()\n"
        "from spikedoor.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'numpy', 'scipy', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), time.process_time() - start < 0.5)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[] True"


def test_version(cli):
    assert cli("--version") == (0, f"spikedoor {spikedoor.__version__}\n", "")


def test_bare_call_shows_help(cli):
    assert cli() == cli("--help")
    assert "spikedoor run experiment.toml" in cli()[1]


# Running


def test_run_gives_what_python_gives(cli, tmp_path, tiny):
    code, out, err = cli("run", tiny, "--set", "attack.rate=0.1", "--seed", 2, "--out", "made")
    assert (code, err) == (0, "")
    assert "LR_B direct  direct  2" in out
    there = Record.read(tmp_path / "made")
    here = spikedoor.run(spikedoor.load(tiny, ("attack.rate=0.1",), seed=2))
    assert there.experiment == here.experiment
    assert there.poison == here.poison
    for owner in ("answers", "twin"):
        said, again = (getattr(r.evaluation, owner)["direct"] for r in (there, here))
        assert (said.clean == again.clean).all()
        assert (said.triggered == again.triggered).all()
    losses = [
        [
            e["loss"]
            for r in (record.stages, record.twin_stages)
            for e in r["direct"]["training"]["epochs"]
        ]
        for record in (there, here)
    ]
    assert losses[0] == losses[1]


def test_folders_are_numbered(cli, tmp_path, tiny):
    for number in (1, 2):
        code, out, _ = cli("run", tiny, "--no-twin", "--json")
        told = json.loads(out)
        assert code == 0
        assert told["folder"] == f"runs/tiny-{number}"
        assert told["records"][0]["rows"][0]["twin"] is None
        assert not (tmp_path / "runs" / f"tiny-{number}" / "twin").exists()
    assert sorted(os.listdir(tmp_path / "runs")) == ["tiny-1", "tiny-2"]


def test_preview(cli, tmp_path, tiny):
    code, out, err = cli("preview", tiny, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (tmp_path / told["picture"]).read_bytes().startswith(b"\x89PNG")
    assert len(told["samples"]) == 6
    assert all(0 < sample["pixels"] <= 4 for sample in told["samples"])
    code, out, _ = cli("preview", tiny, "--out", "x.svg")
    assert code == 0
    assert "px (" in out
    assert files(tmp_path) == ["tiny-preview.png", "tiny.toml", "x.svg"]


def test_preview_of_recordings(cli, tmp_path):
    (tmp_path / "events.toml").write_text(
        'data = { name = "digits-dvs", train_limit = 20, test_limit = 20 }\n'
        'attack = { trigger = "event-static" }\nrule = { name = "direct", encoding = "frames" }\n'
    )
    code, out, err = cli("preview", "events.toml", "--json")
    assert (code, err) == (0, "")
    samples = json.loads(out)["samples"]
    assert all(one["added"] > 0 == one["removed"] for one in samples)
    assert (tmp_path / "events-preview.png").stat().st_size > 1000
    code, out, _ = cli("preview", "events.toml", "--out", "played.gif")
    assert code == 0
    assert "0 removed" in out
    assert (tmp_path / "played.gif").read_bytes().startswith(b"GIF8")


def test_demo(cli, tmp_path, monkeypatch):
    from spikedoor.rules import Training
    from spikedoor.study import demo

    def quick(seed=0):
        one = Training(epochs=1)
        short = {"direct": "training", "conversion": "ann", "hybrid": "ann"}
        found = {}
        for name, e in planned(seed).items():
            rule = e.rule.model_copy(update={short[e.rule.name]: one})
            data = e.data.model_copy(update={"train_limit": 200, "test_limit": 60})
            found[name] = e.model_copy(update={"rule": rule, "data": data})
        return found

    planned = demo.experiments
    monkeypatch.setattr(demo, "experiments", quick)
    code, out, err = cli("demo", "--seed", 1)
    assert (code, err) == (0, "")
    for piece in ("LR_B direct", "LR_C conversion", "LR_H hybrid", "runs/demo-1/overview.png"):
        assert piece in out
    made = tmp_path / "runs" / "demo-1"
    assert sorted(os.listdir(made)) == ["events", "lr_b", "lr_c", "lr_h", "overview.png"]
    assert Record.read(made / "lr_h").experiment["seed"] == 1
    assert json.loads(cli("demo", "--json")[1])["folder"] == "runs/demo-2"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["run", "demo"])
def test_interrupted_it_leaves_nothing(tmp_path, tiny, verb, end):
    setting = ["--set", "rule.training.epochs=100000"]
    running = spawn(verb, *([tiny, *setting] if verb == "run" else []), cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs").exists() and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(3)
    assert running.poll() is None
    running.send_signal(end)
    out, err = running.communicate(timeout=60)
    assert out == ""
    if end == signal.SIGINT:
        assert (running.returncode, err) == (130, "interrupted; nothing is half-written\n")
    else:
        assert (running.returncode, err) == (128 + end, "")
    assert files(tmp_path) == ["tiny.toml"]


def test_a_reader_that_goes_is_no_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    running = spawn("list", "rules", cwd=tmp_path, stdout=writing)
    os.close(writing)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (141, "")


def test_output_in_a_pipe_is_plain(tmp_path, tiny):
    running = spawn("run", tiny, "--no-twin", cwd=tmp_path)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, err) == (0, "")
    assert "\x1b" not in out
    assert not set(out) & set("─━│┃")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("colour", [True, False])
def test_terminal_gets_a_table_and_no_colour_is_honoured(tmp_path, tiny, colour):
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    if not colour:
        environment["NO_COLOR"] = "1"
    running = spawn("run", tiny, cwd=tmp_path, stdout=slave, env=environment)
    os.close(slave)
    seen = bytearray()
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    running.communicate(timeout=60)
    os.close(master)
    shown = seen.decode()
    assert running.returncode == 0
    assert "LR_B" in shown
    assert "─" in shown
    styles = {
        int(code or 0)
        for codes in re.findall(r"\x1b\[([\d;]*)m", shown)
        for code in codes.split(";")
    }
    assert 1 in styles or not colour  # bold
    assert not styles & {*range(30, 49), *range(90, 108)}
