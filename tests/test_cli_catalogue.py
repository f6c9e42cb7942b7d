"""What there is: lists of components, the card of each, and the environment."""

import json
import sys
import tomllib

import pytest

from spikedoor.cli.catalogue import KINDS, family
from spikedoor.cli.parameters import snippet
from spikedoor.errors import MissingDataError
from spikedoor.study import Experiment


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
