"""Readers of what a run leaves behind, and of configuration: victims, records, plans, TOML."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from fuzz.target import Target, scratch, several
from spikedoor.attack import PoisonPlan
from spikedoor.attack.triggers.learned import packed_weights, unpacked_weights
from spikedoor.evaluation import Evaluation
from spikedoor.metrics import Answers
from spikedoor.metrics.findings import Detected, Detection
from spikedoor.records import Gallery, Record
from spikedoor.records.conditions import Condition
from spikedoor.records.entry import _decode, _seal, encode
from spikedoor.records.samples import Film, Samples
from spikedoor.records.store import Store
from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.study import Campaign, kept
from spikedoor.study.index import Index
from spikedoor.study.preset import load_preset
from spikedoor.study.results import rows
from spikedoor.study.sweep import load_sweep
from spikedoor.study.toml import override, presets
from spikedoor.victim import Victim, nir

import store_cases  # isort: skip (target.py says where the tests are)
import victim_cases  # isort: skip

KEYS = (b"blueprint", b"architecture", b"width", b"shape", b"neuron", b"steps", b"dtype")
INDEXED = b"""
base = "digits"
set.data = { name = "digits", test_limit = 6 }
[[parts]]
set.rule = { name = "conversion", steps = 4 }
grid.defence.method = ["strip", "clp"]
[[parts]]
set.rule = { name = "direct", steps = 2 }
"""
TOML = (
    b"[data]",
    b"[attack]",
    b"[grid]",
    b"[[parts]]",
    b"trigger",
    b"name = ",
    b"rule",
    b"converter",
)


def _put(files: dict[str, bytes], name: str):
    folder = scratch() / name
    folder.mkdir(exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def _victim() -> dict[str, bytes]:
    return Victim(victim_cases.every_stage().stages[3:]).to_files()


def _record() -> dict[str, bytes]:
    labels, targets = np.array([0, 1, 1]), np.array([0, 0, 0])
    answers = {"direct": Answers(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]))}
    gallery = Gallery(*(np.zeros((1, 1, 8, 8), np.uint8),) * 2, labels[:1])
    stages = {"direct": {"steps": 1, "notes": {}}}
    found = Evaluation(labels, targets, ("a", "b"), answers, answers)
    plain = ({"rule": {"name": "direct"}}, {}, {"name": "digits"}, {"count": 1})
    folder = _put({}, "record")
    Record(*plain, stages, found, gallery, "2026-01-01", stages).write(folder)
    return {name: (folder / name).read_bytes() for name in ("record.json", "record.npz")}


def _samples() -> dict[str, bytes]:
    files = _record()
    folder = _put(files, "samples")
    film = Film(*(np.zeros((1, 2, 2, 4, 4), np.uint8),) * 2, np.array([1]), 1000)
    course = Course(*(np.zeros((2, 2), np.float32),) * 3, predicted=0)
    picture = np.zeros((1, 4, 4), np.uint8)
    about = ("digits", "direct", "victim", 1, 1, 0, ("a", "b"), picture, picture)
    traces = OutputTraces("direct", 1.0, course, course)
    Samples(film, Probed(*about, (traces,))).write(folder)
    return {**files, "samples.npz": (folder / "samples.npz").read_bytes()}


def _read_samples(files: dict[str, bytes]) -> None:
    folder = _put(files, "samples")
    Samples.read(folder, Record.read(folder))


def _entry() -> list[bytes]:
    content = encode(store_cases.put(Store(scratch() / "store"), "any"))
    return [content[len(_seal(b"")) - 2 : -2]]


def _plan() -> list[bytes]:
    plan = PoisonPlan(np.array([1, 4]), np.array([0, 0]), 20, 0.1, 0)
    return [json.dumps(plan.to_json()).encode()]


def _read_plan(data: bytes) -> None:
    PoisonPlan.load(_put({"plan.json": data}, "plan") / "plan.json")


def _experiments() -> list[bytes]:
    return [path.read_bytes() for path in list(presets().values())[:4]]


def _read_experiment(data: bytes) -> None:
    load_preset(_put({"one.toml": data}, "toml") / "one.toml")


def _sweeps() -> list[bytes]:
    text = 'base = "digits"\nseeds = [0, 1]\n[grid]\nattack.rate = [0.02, 0.1]\n'
    return [(text + "[[parts]]\nlabel = 'x'\nset.rule = { name = 'direct', steps = 2 }\n").encode()]


def _read_sweep(data: bytes) -> None:
    sweep = load_sweep(_put({"sweep.toml": data}, "toml") / "sweep.toml")
    if sum(1 for _, _ in zip(sweep.points(), range(9), strict=False)) < 9:
        sweep.experiments()


@cache
def _index() -> bytes:
    """Return the index of a sweep, all of whose results are in the store, under short keys."""
    store, sweep = Store(scratch() / "indexed"), _put({"sweep.toml": INDEXED}, "toml")
    index = Campaign.of(load_sweep(sweep / "sweep.toml"), store).index
    text = index.model_dump_json()
    for i, key in enumerate(index.made):  # a changed digit leads to another result
        text = text.replace(key, f"{i:064x}")
    (truth,) = index.tests.values()
    for i, made in enumerate(index.made.values()):
        store.write(f"{i:064x}", made.kind, _result(made.kind, truth.labels), config={})
    return text.encode()


def _result(kind: str, labels: tuple[int, ...]) -> dict[str, bytes]:
    """Return a result of a kind as files: of some samples after each of four steps."""
    if kind == "poison":
        return {}
    if kind not in kept.KINDS:
        about = {"stages": [{"notes": {"training": {"seconds_to_best": 1.0}}}]}
        return {"victim.json": json.dumps(about).encode()}
    scores, rates = np.arange(len(labels)), np.full((4, len(labels)), 0.1)
    results = {
        "answers": np.tile(labels, (4, 1)),
        "activity": (("a", "b"), rates[:, :2], rates),
        "operations": np.full(len(labels), 9.0),
        "detection": Detected(Detection(scores, 3.0), scores < 2),
    }
    return kept.packed(kind, results[kind])


def _read_index(data: bytes) -> None:
    _index()  # fills the store
    store = Store(scratch() / "indexed")
    _put({"one.json": data}, "indexed/indexes")
    index = Index.read(store, "one")
    if index is not None:
        rows(index, store, every_step=True)


def _values() -> tuple[Any, list[tuple[Any, Any]]]:
    """Return the index as JSON, and where each of its values stands: in what, and under which key.

    A value is changed by setting it there.
    """
    index = json.loads(_index())
    found, ahead = [], [index]
    while ahead:
        inner = ahead.pop()
        for key, value in list(inner.items() if isinstance(inner, dict) else enumerate(inner)):
            if isinstance(value, dict | list):
                ahead.append(value)
            else:
                found.append((inner, key))
    return index, found


def _read_changed_index(data: bytes) -> None:
    """Read an index that is whole but for a value: two bytes choose which, the rest is JSON."""
    index, places = _values()
    inner, key = places[int.from_bytes(data[:2], "big") % len(places)]
    text = data[2:].decode("utf-8", "replace")
    try:
        inner[key] = json.loads(text)
    except (ValueError, RecursionError):
        inner[key] = text
    _read_index(json.dumps(index).encode())


def _index_values() -> list[bytes]:
    values = enumerate(_values()[1])
    return [i.to_bytes(2, "big") + json.dumps(one[key]).encode() for i, (one, key) in values][::5]


def _read_setting(data: bytes) -> None:
    kind, _, text = data.decode("utf-8", "replace").partition(" ")
    if kind == "--set":
        override({"a": {"b": 1}}, [text])
    else:
        Condition.parse(text).hold([1, 2.5, None])


def _nir() -> list[bytes]:
    import nir_cases  # needs h5py

    return [nir_cases.nir_file()]


def _read_nir(data: bytes) -> None:
    nir.read(_put({"model.nir": data}, "nir") / "model.nir", 4, 2, dt=1e-4)


TARGETS = {
    "victim": several(_victim, lambda files: Victim.load(_put(files, "victim")), KEYS),
    "nir": Target(_nir, _read_nir, (b"type", b"Conv2d", b"LIF", b"padding", b"TREE")),
    "record": several(_record, lambda files: Record.read(_put(files, "record")).to_json()),
    "samples": several(_samples, _read_samples),
    "entry": Target(_entry, lambda data: _decode(_seal(data)), (b"sha256", b"files", b"inputs")),
    "plan": Target(_plan, _read_plan, (b"indices", b"targets", b"cover_rate")),
    "weights": Target(
        lambda: [packed_weights({"w": np.ones((2, 3), np.float32)})], unpacked_weights
    ),
    "experiment": Target(_experiments, _read_experiment, TOML),
    "sweep": Target(_sweeps, _read_sweep, TOML),
    "index": Target(
        lambda: [_index()], _read_index, (b"answers", b"inputs", b"stages", b"version")
    ),
    "index-value": Target(_index_values, _read_changed_index, (b"null", b"[]", b"{}", b"1e9")),
    "setting": Target(
        lambda: [b"--set a.b=0.1", b"--set a.b={c = 2}", b"--where x in 4,8"], _read_setting
    ),
}
