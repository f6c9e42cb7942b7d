"""A store is checked, measured and cleaned without harm to what is wanted."""

import json
import os
import time

import pytest
from store_cases import FILES, key, names, put

from spikedoor.errors import DataError, OutputError
from spikedoor.records import Finding, Store, Usage, gc, sizes, verify

SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def age(store: Store, hours: float = 2) -> None:
    """Make all that is in the store look older."""
    then = time.time() - 3600 * hours
    for path in store.folder.rglob("*"):
        os.utime(path, (then, then), follow_symlinks=False)


def kept(store: Store) -> set[str]:
    return {entry.config["name"] for entry in store.entries()}


@pytest.fixture
def graph(store):
    """Two ANNs, one converted twice; what hangs on them; and a pin of one answer."""
    put(store, "data", "data")
    for ann in ("ann-1", "ann-2"):
        put(store, ann, "ann", ("data",))
    for converted in ("max", "percentile"):
        put(store, converted, "converted", ("ann-1", "data"))
    put(store, "answers", "answers", ("max",))
    store.pin("study", [key("answers"), key("not made yet")])
    age(store)
    return store


def test_what_no_pin_reaches_goes(graph):
    before = names(graph.folder)
    found = gc(graph)
    assert {(g.what, g.path.name) for g in found} == {
        ("entry", key("ann-2")), ("entry", key("percentile"))
    }  # fmt: skip
    for garbage in found:
        files = [path.stat().st_size for path in garbage.path.iterdir()]
        assert garbage.bytes == sum(files) > SIZE
    assert names(graph.folder) == before
    assert gc(graph, dry_run=False) == found
    assert kept(graph) == {"data", "ann-1", "max", "answers"}
    assert len(names(graph.folder)) == len(before) - 2 * 4
    assert verify(graph) == gc(graph) == []


def test_without_a_pin_all_that_is_old_goes(graph):
    graph.unpin("study")
    put(graph, "new", "answers", ("percentile",))
    gc(graph, dry_run=False)
    assert kept(graph) == {"new", "percentile", "ann-1", "data"}
    gc(graph, dry_run=False, grace=0)
    assert kept(graph) == set()


def test_what_is_new_stays(store):
    put(store, 0)
    store.note_failure(key(1), "why")
    with store.claim(key(2)):
        pass
    (store.folder / "pins").mkdir()
    (store.folder / "pins" / ".study.json-01234567").touch()
    (store.folder / "entries" / "00").mkdir()
    (store.folder / "entries" / "00" / ".folder").mkdir()
    assert gc(store, dry_run=False) == []
    age(store, hours=0.9)
    assert gc(store, dry_run=False) == []
    age(store, hours=1.1)
    assert {g.what for g in gc(store, dry_run=False)} == {"entry", "failure", "claim", "leftover"}
    assert names(store.folder) == ["store.json"]


def test_leftovers_go_and_so_does_what_was_set_aside(graph):
    wanted = names(graph.folder)
    hidden = graph.path(key("max")).with_name(f".{key('max')}-x1y2z3")
    hidden.mkdir()
    (hidden / "half").write_bytes(b"12345")
    for path in (".store.json-0123abcd", "pins/.study.json-0123abcd"):
        (graph.folder / path).write_bytes(b"123")
    (graph.folder / "entries" / ".x").symlink_to("/")
    put(graph, "bad")
    (graph.path(key("bad")) / "empty").unlink()
    assert graph.read(key("bad")) is None
    age(graph)
    found = {g.path.name: (g.what, g.bytes) for g in gc(graph, dry_run=False)}
    assert found[hidden.name] == ("leftover", 5)
    assert found[".store.json-0123abcd"] == found[".study.json-0123abcd"] == ("leftover", 3)
    assert found[".x"] == ("leftover", len("/"))
    assert [what for what, _ in found.values()].count("aside") == 1
    assert set(names(graph.folder)) < set(wanted)
    assert kept(graph) == {"data", "ann-1", "max", "answers"}
    assert not os.path.lexists(graph.folder / "entries" / ".x")


def test_failures_of_what_is_wanted_stay(graph):
    for name in ("not made yet", "forgotten"):
        graph.note_failure(key(name), "why")
    age(graph)
    gc(graph, dry_run=False)
    assert graph.failure(key("not made yet")) == "why"
    assert graph.failure(key("forgotten")) is None


def test_an_index_goes_with_the_first_of_its_results(graph):
    made = {"kept": ["answers", "max"], "awaited": ["not made yet"], "let go": ["answers", "ann-2"]}
    (graph.folder / "indexes").mkdir()
    for name, results in made.items():
        told = {"made": {key(one): {"kind": "any"} for one in results}}
        (graph.folder / "indexes" / f"{name}.json").write_text(json.dumps(told))
    for name, damaged in (("cut", '{"made'), ("deep", "[" * 99999), ("other", '{"made": [1]}')):
        (graph.folder / "indexes" / f"{name}.json").write_text(damaged)
    assert not any(g.what == "index" for g in gc(graph))
    age(graph)
    gone = [g.path.name for g in gc(graph, dry_run=False) if g.what == "index"]
    assert gone == ["let go.json"]
    assert len(os.listdir(graph.folder / "indexes")) == 5


def test_a_claim_that_is_held_stays(store):
    with store.claim(key(0)):
        age(store)
        assert gc(store, dry_run=False) == []
        with store.claim(key(0)) as again:
            assert not again
    assert [g.what for g in gc(store, dry_run=False)] == ["claim"]


def test_a_damaged_pin_stops_it(graph):
    (graph.folder / "pins" / "study.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        gc(graph, dry_run=False)
    assert len(kept(graph)) == 6


def test_a_damaged_entry_that_is_pinned_waits_for_verify(graph):
    (graph.path(key("answers")) / "entry.json").write_text("{}")
    age(graph)
    assert key("answers") not in {g.path.name for g in gc(graph)}


def test_what_cannot_be_deleted_is_told_and_not_half_there(graph, monkeypatch):
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        gc(graph, dry_run=False)
    monkeypatch.undo()
    assert verify(graph) == []
    assert {g.what for g in gc(graph, dry_run=False)} == {"entry", "leftover"}
    assert kept(graph) == {"data", "ann-1", "max", "answers"}


def test_verify_tells_what_is_damaged_and_repairs_if_told(graph):
    assert verify(graph) == []
    (graph.path(key("max")) / "weights.bin").write_bytes(bytes(1024))
    (graph.path(key("ann-1")) / "entry.json").unlink()
    found = {finding.key: finding for finding in verify(graph)}
    assert found.keys() == {key("max"), key("ann-1")}
    problem = "weights.bin: the checksum does not match"
    assert found[key("max")] == Finding(key("max"), "converted", problem)
    assert found[key("ann-1")].kind is None
    assert "entry.json" in found[key("ann-1")].problem
    assert not (graph.folder / "aside").exists()
    assert {finding.key for finding in verify(graph, repair=True)} == found.keys()
    assert verify(graph) == []
    assert len(list((graph.folder / "aside").iterdir())) == 2
    assert kept(graph) == {"data", "ann-2", "percentile", "answers"}


def test_sizes_by_kind(graph):
    assert sizes(graph) == {
        "ann": Usage(2, 2 * SIZE),
        "answers": Usage(1, SIZE),
        "converted": Usage(2, 2 * SIZE),
        "data": Usage(1, SIZE),
    }


def test_an_empty_store(store):
    assert (verify(store), gc(store), sizes(store), store.pins()) == ([], [], {}, {})
    assert list(store.entries()) == list(store.keys()) == []


def test_what_is_not_ours_is_left_alone(store):
    for path in ("entries/README", "entries/zz/mine", "entries/ab/mine", "mine"):
        (store.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (store.folder / path).touch()
    age(store)
    assert (verify(store, repair=True), gc(store, dry_run=False)) == ([], [])
    assert len(names(store.folder)) == 5
