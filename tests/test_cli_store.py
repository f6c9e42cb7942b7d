"""The verbs about the store: what they print, how they end."""

import json

import pytest
from store_cases import FILES, key, names, put

from spikedoor.records import Store

SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    for name, kind in (("a", "ann"), ("b", "ann"), ("c", "answers")):
        put(store, name, kind)
    store.pin("study", [key("a"), key("c")])
    return store


@pytest.mark.parametrize("verb", ["size", "verify", "gc"])
def test_every_verb_explains_itself(cli, verb):
    code, out, err = cli("store", verb, "--help")
    assert (code, err) == (0, "")
    assert f"  spikedoor store {verb} " in out


def test_the_bare_word_shows_help(cli):
    assert cli("store") == cli("store", "--help")


def test_size(cli, store):
    code, out, err = cli("store", "size", "store")
    rows = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert rows == [
        ["ann", "2", "2.1", "kB"],
        ["answers", "1", "1.0", "kB"],
        ["total", "3", "3.1", "kB"],
    ]
    assert json.loads(cli("store", "size", "store", "--json")[1]) == {
        "kinds": {
            "ann": {"count": 2, "bytes": 2 * SIZE},
            "answers": {"count": 1, "bytes": SIZE},
        },
        "total": {"count": 3, "bytes": 3 * SIZE},
    }


def test_verify(cli, store):
    assert cli("store", "verify", "store") == (0, "all whole\n", "")
    assert json.loads(cli("store", "verify", "store", "--json")[1]) == []
    (store.path(key("b")) / "notes.txt").unlink()
    code, out, _ = cli("store", "verify", "store", "--json")
    (finding,) = json.loads(out)
    assert (code, finding["key"], finding["kind"]) == (1, key("b"), "ann")
    code, out, err = cli("store", "verify", "store", "--repair")
    assert (code, err) == (1, "")
    assert "notes.txt" in out
    assert cli("store", "verify", "store")[0] == 0


def test_gc_deletes_only_when_told(cli, store):
    before = names(store.folder)
    for more in ([], ["--grace", 0], ["--grace", 0, "--json"]):
        code, out, err = cli("store", "gc", "store", *more)
        assert (code, err) == (0, "")
        assert "--json" in more or "Dry run" in out
    told = json.loads(out)
    assert not told["deleted"]
    assert [item["path"] for item in told["items"]] == [f"entries/{key('b')[:2]}/{key('b')}"]
    assert names(store.folder) == before
    code, out, err = cli("store", "gc", "store", "--grace", 0, "--delete")
    assert (code, err) == (0, "")
    assert "Dry run" not in out
    assert {entry.key for entry in store.entries()} == {key("a"), key("c")}


def test_mistakes_are_one_line(cli, store, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "store.json").write_text('{"store": 9}')
    (store.folder / "pins" / "study.json").write_text("{")
    mistakes = [
        (2, "Missing argument 'DIR'", ["size"]),
        (2, "Did you mean 'verify'", ["verfy", "store"]),
        (2, "--grace", ["gc", "store", "--grace", -1]),
        (3, "with store.json, found nothing there", ["size", "missing"]),
        (3, "with store.json, found", ["verify", "other"]),
        (3, "schema 9, this version reads 1", ["gc", "newer"]),
        (3, "pin is damaged", ["gc", "store"]),
    ]
    for code, message, arguments in mistakes:
        ended, out, err = cli("store", *arguments)
        assert (ended, out) == (code, ""), arguments
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
