"""The command line: what it prints, how it ends, what it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cli_cases import TINY

import spikedoor
from spikedoor.cli import main
from spikedoor.cli.catalogue import KINDS, family
from spikedoor.cli.parameters import snippet
from spikedoor.errors import MissingDataError
from spikedoor.records import Record
from spikedoor.study import Experiment


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def spawn(*arguments, **options):
    command = [sys.executable, "-m", "spikedoor", *map(str, arguments)]
    source = str(Path(spikedoor.__file__).parent.parent)
    environment = {**options.pop("env", os.environ), "PYTHONPATH": source}
    pipes = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **options})


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


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


@pytest.mark.parametrize(
    "verb", ["demo", "run", "reproduce", "check", "preview", "probe", "list", "show", "env"]
)
def test_every_verb_explains_itself(cli, verb):
    code, out, err = cli(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: spikedoor {verb}")


# Errors, each one line


def test_mistakes_are_one_line(cli, tmp_path, tiny):
    (tmp_path / "bad.toml").write_text("seed = [1")
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 100_000)
    (tmp_path / "sweep.toml").write_text('base = "tiny.toml"')
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "void.toml").touch()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "record.json").write_text("{}")
    cut = tmp_path / "cut" / "MNIST" / "raw"
    cut.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (cut / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0\0\x09")
    mistakes = [
        (2, "did you mean 'run'", ["rnu"]),
        (2, "--sed", ["run", tiny, "--sed", 1]),
        (2, "Missing argument 'FILE.toml'", ["run"]),
        (2, "'--seed': input should be greater than or equal to 0", ["run", tiny, "--seed", -1]),
        (2, "missing.toml: cannot be read (No such file", ["run", "missing.toml"]),
        (2, "tinny.toml: cannot be read (No such file or directory); did you mean 'tiny.toml'?",
         ["run", "tinny.toml"]),
        (2, "no preset or file 'tiny.tmol'; did you mean 'tiny.toml'?", ["check", "tiny.tmol"]),
        (2, "'spikedoor list presets' names the presets", ["run", "nothing"]),
        (2, "found a sweep; see 'spikedoor sweep'", ["run", "sweep.toml"]),
        (2, "found one experiment; see 'spikedoor run'", ["sweep", tiny]),
        (2, "full: expected a file in TOML, found a folder", ["check", "full"]),
        (2, "full: expected a file in TOML, found a folder", ["sweep", "full"]),
        (2, "void.toml: expected a sweep, found no key in it", ["sweep", "void.toml"]),
        (3, "file ending in .nir, or --data alone, found nothing there; did you mean 'full'?",
         ["audit", "fulll"]),
        (3, "with record.json) or of a victim (victim.json)", ["audit", "file"]),
        (3, "full: expected a folder that 'spikedoor run' has made, with record.json, found a",
         ["defend", "full", "--with", "beatrix"]),
        (3, "file: expected a folder that 'spikedoor run' has made", ["probe", "file"]),
        (3, "or a sweep's FILE.toml, found nothing there", ["report", "nothing"]),
        (3, "wrong: the record is damaged ('schema' is missing)", ["report", "wrong"]),
        (2, "bad.toml: not valid TOML", ["run", "bad.toml"]),
        (2, "latin.toml: not valid TOML", ["run", "latin.toml"]),
        (2, "deep.toml: not valid TOML", ["run", "deep.toml"]),
        (2, "rule: unknown rule 'dirct'; did you mean 'direct'?",
         ["run", tiny, "--set", "rule=dirct"]),
        (2, "unknown key; did you mean 'rate'?", ["run", tiny, "--set", "attack.rat=1"]),
        (2, "unknown key; did you mean 'epochs'?",
         ["run", tiny, "--set", "rule.training.epoch=1"]),
        (2, "attack.rate: input should be less than or equal to 1, got 2",
         ["run", tiny, "--set", "attack.rate=2"]),
        (2, "expected key=value", ["run", tiny, "--set", "attack.rate"]),
        (2, "does not fit", ["run", tiny, "--set", "attack.trigger.size=9"]),
        (2, "label 10 is not one of the 10 classes", ["run", tiny, "--set", "attack.target=10"]),
        (2, "not empty", ["run", tiny, "--out", "full"]),
        (2, "not empty", ["demo", "--out", "full"]),
        (2, "found a file", ["run", tiny, "--out", "file"]),
        (2, "no folder", ["run", tiny, "--out", "file/below"]),
        (2, "no folder", ["demo", "--out", "file/below"]),
        (2, ".png, .svg or .pdf", ["preview", tiny, "--out", "x.gif"]),
        (2, "unknown kind 'trigers'; did you mean 'triggers'?", ["list", "trigers"]),
        (2, "unknown trigger 'pach'; did you mean 'patch'?", ["show", "trigger", "pach"]),
        (3, "found no such file below the data root",
         ["run", tiny, "--set", "data={name='mnist', root='/nowhere'}"]),
        (3, "ubyte", ["run", tiny, "--set", "data={name='mnist', root='cut'}"]),
    ]  # fmt: skip
    before = files(tmp_path)
    for expected, told, arguments in mistakes:
        code, out, err = cli(*arguments)
        assert err.startswith("error: "), arguments
        assert err.count("\n") == 1, err
        assert told.lower() in err.lower(), err
        assert (code, out) == (expected, ""), arguments
    assert files(tmp_path) == before


def test_check_goes_on_after_a_mistake(cli, tmp_path, tiny):
    (tmp_path / "bad.toml").write_text("rule = 3")
    code, out, err = cli("check", "bad.toml", tiny)
    assert code == 2
    assert out.startswith(f"{tiny}: ok\n")
    assert err.startswith("error: bad.toml: ")
    code, out, err = cli("check", "--json", "bad.toml", tiny)
    assert (code, err) == (2, "")
    assert [entry["ok"] for entry in json.loads(out)] == [False, True]


def test_a_fault_of_ours_keeps_its_traceback(cli, monkeypatch):
    def fault(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("spikedoor.cli.catalogue.family", fault)
    with pytest.raises(ZeroDivisionError):
        main(["list", "triggers"])


# What there is


def test_list(cli):
    code, out, _ = cli("list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [*KINDS, "presets"]
    assert "patch" in cli("list", "triggers")[1]
    for kind in KINDS:
        singular = family(kind).kind
        assert cli("list", kind) == cli("list", singular)
        assert [e["name"] for e in json.loads(cli("list", kind, "--json")[1])] == family(
            kind
        ).names()


def test_list_of_defences_says_what_each_works_on(cli):
    told = {line.split()[0]: line for line in cli("list", "defences")[1].splitlines()}
    for name, where in (
        ("beatrix", "in data"), ("strip", "in inputs"), ("tmpbd", "in models"), ("anp", "repairs")
    ):  # fmt: skip
        assert told[name].split(maxsplit=1)[1].startswith(f"{where}  ")
    tasks = {one["name"]: one["task"] for one in json.loads(cli("list", "defences", "--json")[1])}
    assert tasks["anp"] == "eliminate"


def members():
    return [(kind, name) for kind in KINDS for name in family(kind).names()]


FILLED = {"sensor": [3, 3], "source": "digits-dvs"}
FITTING = {
    "image": ("digits", "patch", "direct"),
    "event": ("digits-dvs", "event-static", "frames"),
    "frame": ("frames", "frame-static", "frames"),
}


@pytest.mark.parametrize(("kind", "name"), members())
def test_card_tells_all_and_its_toml_can_be_pasted(cli, kind, name):
    code, out, err = cli("show", kind, name)
    assert (code, err) == (0, "")
    cls = family(kind)[name]
    assert cls.summary().replace("``", "'") in out
    assert cls.card.link in out
    assert all(f"  {field}" in out for field in cls.model_fields)
    (line,) = (line for line in out.splitlines() if line.startswith("Python: "))
    names: dict[str, object] = {}
    exec(line.removeprefix("Python: "), names)
    assert names[cls.__name__] is cls
    told = json.loads(cli("show", kind, name, "--json")[1])
    required = [p["key"] for p in told["parameters"] if p["default"] == "required"]
    text = snippet(family(kind).kind, cls)
    assert text in out
    for key in required:
        text = text.replace(f"# {key} = ...", f"{key} = {FILLED.get(key, 'x')!r}")
    table = tomllib.loads(text)
    found = getattr(cls, "modality", None) or getattr(cls, "modalities", ("image",))[-1]
    data, trigger, encoding = FITTING[found]
    table.setdefault(
        "data", {"name": data, **({"source": "digits-dvs"} if data == "frames" else {})}
    )
    table.setdefault("rule", {}).setdefault("name", "direct")
    table["rule"].setdefault("encoding", encoding)
    table.setdefault("attack", {}).setdefault("trigger", trigger)
    if kind == "layers":
        table["network"]["name"] = "layered"
    if kind == "surrogates":
        table["rule"]["neuron"].setdefault("name", "lif")
    if kind in ("converters", "activations"):
        table["rule"]["name"] = "conversion"
    if getattr(cls, "trained_with", None):
        table["rule"]["activation"] = cls.trained_with
    found = Experiment.from_dict(table).to_dict()
    expected = cls.from_dict({key: FILLED.get(key, "x") for key in required}).to_dict()
    assert expected in list(nested(found))


def nested(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from nested(inner)


def test_env(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEDOOR_DATA", str(tmp_path))
    code, out, err = cli("env", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["data root"] == str(tmp_path)
    assert told["datasets"]["digits"] == "built in"
    assert told["datasets"]["mnist"].startswith("missing MNIST/raw/")
    assert sorted(told["datasets"]) == family("datasets").names()
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    assert "mnist          present" in cli("env")[1]


def test_env_tells_recordings_that_must_be_there_from_what_is_built_in(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEDOOR_DATA", str(tmp_path))
    told = json.loads(cli("env", "--json")[1])["datasets"]
    names = ("cifar10-dvs", "dvs-gesture", "n-caltech101", "nmnist")
    assert [told[name] for name in names] == [
        "missing CIFAR10DVS/airplane",
        "missing DvsGesture/trials_to_train.txt",
        "missing Caltech101",
        "missing NMNIST/Train",
    ]
    built_in = {name for name, state in told.items() if state == "built in"}
    for name in family("datasets").names():
        if told[name] != "your own files":  # what env says is what loading finds
            try:
                family("datasets")[name](train_limit=20, test_limit=20).load()
            except MissingDataError:
                assert name not in built_in
            else:
                assert name in built_in
    (tmp_path / "Caltech101.zip").touch()
    assert json.loads(cli("env", "--json")[1])["datasets"]["n-caltech101"] == "present"


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
    assert ("\x1b[1m" in shown) == colour or not colour
    colours = [f"\x1b[{code}m" for code in np.r_[30:38, 90:98]]
    assert not any(code in shown for code in colours)
