"""The folder of a store: disks that fail, links, marks; failures and pins beside the entries."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from store_cases import flip, key, names, put

from spikedoor.errors import DataError, MissingDataError, OutputError
from spikedoor.records import Store, verify

pytestmark = pytest.mark.usefixtures("no_power_cut")


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
