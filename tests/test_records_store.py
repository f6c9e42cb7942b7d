"""An entry of the store comes back as it went, or not at all."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import FILES, key, names, put

from spikedoor.data.files import sha256
from spikedoor.errors import ConfigError, DataError, MissingDataError, OutputError
from spikedoor.records import Entry, FileInfo, Store, verify
from spikedoor.records.entry import DamageError, load


@pytest.fixture(scope="module", autouse=True)
def no_power_cut():
    """Spare these tests the waits for the disk, which show only after a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


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


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


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


BAD_KEYS = ["", "../x", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63, None, 3]


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_bad_keys_are_refused(store, bad):
    uses = [
        store.entry, store.read, store.failure, lambda bad: store.note_failure(bad, "why"),
        lambda bad: store.write(bad, "ann", {}, config={}), lambda bad: store.pin("p", [bad]),
        lambda bad: store.write(key(0), "ann", {}, config={}, inputs={"x": bad}),
        lambda bad: store.claim(bad).__enter__(),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ConfigError, match="64 lower-case hex digits"):
            use(bad)
    assert names(store.folder) == ["store.json"]


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", ".x", "-x", "x" * 101, "x\n", "\0"])
def test_bad_names_are_refused(store, bad):
    uses = [
        lambda: store.write(key(0), "ann", {bad: b""}, config={}),
        lambda: store.write(key(0), bad, {}, config={}),
        lambda: store.pin(bad, [key(0)]),
        lambda: store.unpin(bad),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match="expected a name"):
            use()
    assert names(store.folder) == ["store.json"]


def test_the_name_of_the_entry_file_is_refused(store):
    with pytest.raises(ConfigError, match=r"entry\.json"):
        store.write(key(0), "ann", {"entry.json": b""}, config={})


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"a": (1, 2)}},
        {"config": {"a": {1: 2}}},
        {"config": {1: 2}},
        {"config": {"a": float("nan")}},
        {"config": {"a": "\ud800"}},
        {"config": {"a": Path("x")}},
        {"config": {}, "seconds": -1},
        {"config": {}, "seconds": float("inf")},
        {"config": {}, "environment": {"a": b"x"}},
    ],
    ids=repr,
)
def test_what_would_not_come_back_as_it_is_is_refused(store, change):
    with pytest.raises(ConfigError, match="cannot be kept"):
        store.write(key(0), "ann", FILES, **change)
    assert names(store.folder) == ["store.json"]


def deep() -> dict:
    nested: dict = {}
    for _ in range(5000):
        nested = {"a": nested}
    return nested


def test_values_too_deep_are_refused(store):
    with pytest.raises(ConfigError, match="cannot be kept"):
        store.write(key(0), "ann", FILES, config=deep())


# What goes wrong around it


@pytest.mark.parametrize(
    ("step", "code"), [*((n, errno.ENOSPC) for n in range(1, 6)), (1, errno.EROFS)]
)
def test_a_full_or_read_only_disk_leaves_nothing_half_written(store, monkeypatch, step, code):
    """The disk is full at the first, second ... time it is asked to keep something."""
    put(store, "before")
    before, real, calls = names(store.folder), os.fsync, []

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == step:
            raise OSError(code, os.strerror(code))
        real(handle)

    store.path(key(0)).parent.mkdir(exist_ok=True)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=os.strerror(code)) as caught:
        put(store, 0)
    assert key(0) in str(caught.value)
    assert names(store.folder) == before
    monkeypatch.undo()
    assert store.read(key(0)) is None
    assert store.read(put(store, 0).key)


def test_a_full_disk_keeps_the_old_pin(store, monkeypatch):
    store.pin("study", [key(0)])

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        store.pin("study", [key(1)])
    assert store.pins() == {"study": [key(0)]}
    assert names(store.folder) == ["pins/study.json", "store.json"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EMFILE])
def test_what_cannot_be_read_now_is_no_damage(store, monkeypatch, code):
    put(store, 0)
    real = Path.open

    def refuse(path: Path, *mode: str) -> object:
        if path.name == "weights.bin":
            raise OSError(code, os.strerror(code))
        return real(path, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=os.strerror(code)):
        store.read(key(0))
    assert os.strerror(code) in verify(store, repair=True)[0].problem
    monkeypatch.undo()
    assert store.read(key(0))


def test_damage_that_cannot_be_moved_aside_is_told(store, monkeypatch):
    put(store, 0)
    flip(store.path(key(0)) / "weights.bin")

    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match=r"checksum .*\(Read-only file system\)"):
        store.read(key(0))


# The folder


def test_a_missing_store_is_made_only_if_wanted(tmp_path):
    with pytest.raises(MissingDataError, match=r"with store\.json"):
        Store(tmp_path / "new", create=False)
    assert not (tmp_path / "new").exists()
    Store(tmp_path / "deep" / "new")
    Store(str(tmp_path / "deep" / "new"), create=False)


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(OutputError, match="expected a store or an empty folder"):
        Store(tmp_path)
    with pytest.raises(MissingDataError):
        Store(tmp_path, create=False)
    with pytest.raises(OutputError, match="found a file"):
        Store(tmp_path / "mine.txt")
    assert names(tmp_path) == ["mine.txt"]


def test_making_it_may_have_been_interrupted(tmp_path):
    (tmp_path / ".store.json-0123abcd").touch()
    Store(tmp_path)
    Store(tmp_path, create=False)


@pytest.mark.parametrize("create", [True, False])
def test_another_schema_is_refused(store, create):
    (store.folder / "store.json").write_text('{"store": 7}')
    with pytest.raises(DataError, match="schema 7, this version reads 1"):
        Store(store.folder, create)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 10**5, "\xff"])
def test_a_damaged_mark_is_told(store, text):
    (store.folder / "store.json").write_text(text, "latin-1")
    with pytest.raises(DataError, match="damaged"):
        Store(store.folder)


@pytest.mark.parametrize("room", ["entries", "aside", "claims", "failures", "pins"])
def test_links_out_of_the_store_are_not_followed(store, tmp_path, room):
    (tmp_path / "outside").mkdir()
    (store.folder / room).symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="link"):
        Store(store.folder)


def test_links_in_place_of_a_prefix_are_not_followed(store, tmp_path):
    put(store, 0)
    prefix = store.path(key(0)).parent
    prefix.rename(tmp_path / "outside")
    prefix.symlink_to(tmp_path / "outside")
    for use in (store.entry, store.read, lambda _: put(store, 0), lambda _: list(store.keys())):
        with pytest.raises(DataError, match="link"):
            use(key(0))
    assert len(names(tmp_path / "outside")) == 4


# Failures and pins


def test_a_failure_is_noted_until_a_write_clears_it(store):
    assert store.failure(key(0)) is None
    store.note_failure(key(0), "loss was ∞\nat step 3")
    store.note_failure(key(1), "other")
    assert Store(store.folder).failure(key(0)) == "loss was ∞\nat step 3"
    put(store, 0)
    assert store.failure(key(0)) is None
    assert store.failure(key(1)) == "other"


def test_pins_are_kept_by_name(store):
    store.pin("a", [key(0), key(1), key(0)])
    store.pin("b", iter([key(2)]))
    assert Store(store.folder).pins() == {"a": [key(0), key(1)], "b": [key(2)]}
    store.pin("a", [])
    store.unpin("b")
    store.unpin("b")
    assert store.pins() == {"a": []}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": ["../x"]}', '{"keys": 3}'])
def test_a_damaged_pin_is_told(store, text):
    store.pin("a", [key(0)])
    (store.folder / "pins" / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json: the pin is damaged"):
        store.pins()


def test_the_store_needs_no_torch():
    code = "import sys, spikedoor.records; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
