"""An entry of the store comes back as it went, or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import FILES, flip, key, names, put

from spikedoor.data.files import sha256
from spikedoor.records import Entry, FileInfo, Store, verify
from spikedoor.records.entry import DamageError, load

pytestmark = pytest.mark.usefixtures("no_power_cut")


def test_round_trip(store):
    assert store.entry(key(0)) is None
    assert store.read(key(0)) is None
    entry = put(store, 0, made_from=("data",))
    assert store.read(key(0)) == (entry, FILES)
    assert store.entry(key(0)) == entry == Store(store.folder, create=False).entry(key(0))
    assert entry.config == {"name": "0", "rate": 0.1, "nested": {"list": [1, None, True, "ü"]}}
    assert (entry.key, entry.kind, entry.seconds) == (key(0), "ann", 1.5)
    assert (entry.inputs, entry.environment) == ({"data": key("data")}, {"cores": 2})
    assert entry.files["notes.txt"] == FileInfo(sha256(b"two files"), 9)
    assert entry.size == 1024 + 9
    folder = store.folder / "entries" / key(0)[:2] / key(0)
    assert names(folder) == ["empty", "entry.json", "notes.txt", "weights.bin"]
    assert (folder / "weights.bin").read_bytes() == FILES["weights.bin"]


def test_entries_by_kind(store):
    made = [put(store, name, kind) for name, kind in ((1, "ann"), (2, "snn"), (3, "ann"))]
    assert sorted(e.key for e in store.entries()) == sorted(e.key for e in made)
    assert {e.key for e in store.entries("ann")} == {key(1), key(3)}
    assert list(store.entries("other")) == []


def test_a_second_write_keeps_the_first(store):
    first = put(store, 0)
    again = store.write(key(0), "ann", {"other": b"later"}, config={})
    assert again == first
    assert store.read(key(0)) == (first, FILES)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def make_sparse(path: Path) -> None:
    os.truncate(path, 1 << 40)  # could not be read whole


def link_away(path: Path) -> None:
    """Put a link in place of a file: to the same content, so only the link itself is wrong."""
    outside = path.parents[4] / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [flip, cut, grow, make_sparse, link_away, make_folder, make_pipe, Path.unlink]


@pytest.mark.parametrize("name", ["weights.bin", "notes.txt", "entry.json"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_entry_is_set_aside_and_made_again(store, damage, name):
    put(store, 0)
    put(store, 1)
    damage(store.path(key(0)) / name)
    assert [finding.key for finding in verify(store)] == [key(0)]
    assert (store.entry(key(0)) is None) == (name == "entry.json")
    assert store.read(key(0)) is None
    assert not store.path(key(0)).exists()
    (aside,) = (store.folder / "aside").iterdir()
    assert aside.name.startswith(key(0))
    entry = put(store, 0)
    assert store.read(key(0)) == (entry, FILES)
    assert verify(store) == []


def test_every_flipped_bit_of_an_entry_file_is_noticed(store):
    put(store, 0)
    path = store.path(key(0)) / "entry.json"
    whole = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << place % 8]), place)
            with pytest.raises(DamageError):
                load(path.parent, key(0))
            os.pwrite(file.fileno(), bytes([byte]), place)
    load(path.parent, key(0))


def test_a_write_takes_the_place_of_a_damaged_entry(store):
    put(store, 0)
    flip(store.path(key(0)) / "weights.bin")
    entry = put(store, 0)
    assert store.read(key(0)) == (entry, FILES)


def test_an_entry_under_another_key_is_damage(store):
    put(store, 0)
    store.path(key(1)).parent.mkdir(exist_ok=True)
    store.path(key(0)).rename(store.path(key(1)))
    assert store.entry(key(1)) is None
    assert store.read(key(0)) is None


@pytest.mark.parametrize("thing", [Path.touch, Path.mkdir, lambda path: path.symlink_to("/")])
def test_whatever_else_lies_in_the_place_is_set_aside(store, thing):
    store.path(key(0)).parent.mkdir(parents=True)
    thing(store.path(key(0)))
    assert store.read(key(0)) is None
    entry = put(store, 0)
    assert store.read(key(0)) == (entry, FILES)
    assert len(list((store.folder / "aside").iterdir())) == 1


def seal(entry: bytes) -> bytes:
    return b'{"sha256": "%s",\n"entry": %s}\n' % (sha256(entry).encode(), entry)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["key", "kind", "config", "inputs", "seconds", "created", "environment", "files"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("shelf"))


def replaced(store: Store, content: bytes) -> Entry | None:
    """Return what the store makes of an entry.json."""
    put(store, "any")
    (store.path(key("any")) / "entry.json").write_bytes(content)
    list(store.entries())
    found = store.read(key("any"))
    assert found is None or found[1].keys() == found[0].files.keys()
    assert store.path(key("any")).exists() == (found is not None)
    return found[0] if found else None


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_damage(shelf, content):
    assert replaced(shelf, content) is None


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=60, deadline=None)
def test_any_bytes_under_a_true_checksum_are_damage(shelf, content):
    assert replaced(shelf, seal(content)) is None


@given(st.sampled_from(FIELDS), JSON, st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_false_field_under_a_true_checksum_is_damage_or_harmless(shelf, field, value, drop):
    entry = put(shelf, "any")
    plain = json.loads((shelf.path(entry.key) / "entry.json").read_text())["entry"]
    plain[field] = value
    if drop:
        del plain[field]
    found = replaced(shelf, seal(json.dumps(plain).encode()))
    if drop or not isinstance(value, (str, dict, float, int)):
        assert found is None
    elif found is not None:
        assert found.key == entry.key
        assert field in ("config", "inputs", "created", "environment", "seconds", "kind", "files")


@pytest.mark.parametrize("content", [b"[" * 10**6, b'{"a":' * 10**6, b"9" * 10**6])
def test_deep_and_long_json_is_damage(shelf, content):
    assert replaced(shelf, seal(content)) is None


@pytest.mark.parametrize("name", ["../../victim", "/etc/passwd", ".hidden", "a/b", "", "x\n"])
def test_a_name_that_points_elsewhere_is_damage(shelf, name):
    entry = put(shelf, "any")
    plain = json.loads((shelf.path(entry.key) / "entry.json").read_text())["entry"]
    plain["files"] = {name: plain["files"]["empty"]}
    assert replaced(shelf, seal(json.dumps(plain).encode())) is None
