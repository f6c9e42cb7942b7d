"""Writing a folder or a file whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedoor.errors import OutputError
from spikedoor.files import (
    check_free,
    make_folder,
    missed,
    new_folder,
    read_plain,
    remove,
    write_bytes,
    write_file,
)


def fill(folder: Path) -> None:
    (folder / "part").mkdir()
    write_bytes(folder / "part" / "data", b"content")


def fill_new(target: Path, then: Callable[[], None]) -> None:
    """Fill a new folder, and do something before the block ends."""
    with new_folder(target) as aside:
        fill(aside)
        then()


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", [Path, str])
def test_a_folder_appears_when_its_block_ends(tmp_path, kind):
    target = tmp_path / "deep" / "er" / "new"
    with new_folder(kind(target)) as aside:
        fill(aside)
        assert not target.exists()
        assert aside.parent == target.parent
    assert (target / "part" / "data").read_bytes() == b"content"
    assert entries(target.parent) == ["new"]


def test_a_relative_folder_lies_below_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with new_folder("new") as aside:
        fill(aside)
    assert entries(tmp_path / "new") == ["part"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_block_leaves_nothing(tmp_path, error):
    def fail() -> None:
        raise error("no")

    with pytest.raises(error, match="no"):
        fill_new(tmp_path / "new", fail)
    assert entries(tmp_path) == []


def test_an_error_leaves_an_empty_folder_as_it_was(tmp_path):
    (tmp_path / "new").mkdir()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fill_new(tmp_path / "new", fail)
    assert entries(tmp_path) == ["new"]
    assert entries(tmp_path / "new") == []


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "new").mkdir()
    assert check_free(tmp_path / "new") == tmp_path / "new"
    with new_folder(tmp_path / "new") as aside:
        fill(aside)
    assert entries(tmp_path / "new") == ["part"]


def test_others_may_read_it(tmp_path):
    with new_folder(tmp_path / "new") as aside:
        fill(aside)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755


def occupied(folder: Path) -> None:
    folder.mkdir()
    (folder / "here").touch()


def link_to_folder(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (occupied, "not empty; name another"),
        (Path.touch, "expected a folder to write, found a file or link"),
        (link_to_folder, "expected a folder to write, found a file or link"),
        (lambda folder: folder.symlink_to("nowhere"), "found a file or link"),
    ],
    ids=["occupied", "file", "link", "broken-link"],
)
def test_a_place_that_is_taken_is_refused(tmp_path, prepare, message):
    folder = tmp_path / "new"
    prepare(folder)
    before = entries(tmp_path)
    with pytest.raises(OutputError, match=message) as caught:
        check_free(folder)
    assert str(caught.value).startswith(str(folder))
    with pytest.raises(OutputError, match=message), new_folder(folder):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == before


@pytest.mark.parametrize("below", ["file/new", "file/deep/new"])
def test_a_file_on_the_way_is_refused(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write here"):
        check_free(tmp_path / below)
    with pytest.raises(OutputError, match="cannot write here"), new_folder(tmp_path / below):
        pytest.fail("the block must not run")


def test_a_broken_link_on_the_way_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError), new_folder(tmp_path / "link" / "new"):
        pytest.fail("the block must not run")


def test_a_name_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(OutputError), new_folder(tmp_path / ("x" * 300)):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_parent_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="read-only"), new_folder(tmp_path / "new"):
        pytest.fail("the block must not run")


def test_a_parent_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match=f"{tmp_path} is read-only"):
        check_free(tmp_path / "new")


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with (
        pytest.raises(OutputError, match="No space left on device"),
        new_folder(tmp_path / "new"),
    ):
        pytest.fail("the block must not run")
    monkeypatch.undo()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"could not be written \(No space left"):
        fill_new(tmp_path / "new", lambda: None)
    assert entries(tmp_path) == []


def test_what_takes_the_place_meanwhile_is_kept(tmp_path):
    with pytest.raises(OutputError, match="could not be written"):
        fill_new(tmp_path / "new", lambda: occupied(tmp_path / "new"))
    assert entries(tmp_path) == ["new"]
    assert entries(tmp_path / "new") == ["here"]


def test_bytes_are_on_the_disk_before_the_call_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    write_bytes(tmp_path / "data", b"content")
    assert synced == [7]
    write_bytes(tmp_path / "data", b"new")
    assert (tmp_path / "data").read_bytes() == b"new"


def test_the_folder_is_synced_before_and_after_it_takes_its_place(tmp_path, monkeypatch):
    """Without both, a power cut can leave an empty folder under the final name."""
    events: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real_sync(handle)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    with new_folder(tmp_path / "new") as aside:
        pass
    assert events == [aside.name, "rename", tmp_path.name]


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    write_file(target, b"old")
    write_file(str(target), b"new")
    assert target.read_bytes() == b"new"
    assert entries(target.parent) == ["table.csv"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "table.csv"
    write_file(target, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_file(target, b"new")
    assert str(caught.value).startswith(f"{target}: ")
    assert target.read_bytes() == b"old"
    assert entries(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("name", ["folder", "file/table.csv", "x" * 300])
def test_a_place_for_no_file_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_file(tmp_path / name, b"content")
    assert entries(tmp_path) == ["file", "folder"]


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    events: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(handle: int) -> None:
        events.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file")
        real_sync(handle)

    def replace(self: Path, target: Path) -> Path:
        events.append("replace")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_file(tmp_path / "table.csv", b"content")
    assert events == ["file", "replace", "folder"]


def test_every_new_folder_is_synced_into_its_parent(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path, tmp_path / "a"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "c")


def test_a_folder_is_out_of_sight_before_it_is_removed(tmp_path, monkeypatch):
    occupied(tmp_path / "folder")
    (tmp_path / "link").symlink_to(tmp_path)
    real = shutil.rmtree

    def rmtree(path: Path) -> None:
        assert not (tmp_path / "folder").exists()
        real(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    for name in ("folder", "link", "missing"):
        remove(tmp_path / name)
    assert entries(tmp_path) == []


def test_only_regular_files_within_the_limit_are_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_plain(path, 5) == b"12345"
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name, limit in (("file", 4), ("link", 5), ("pipe", 5), ("", 5), ("missing", 5)):
        with pytest.raises(OSError, match=r"\S"):
            read_plain(tmp_path / name, limit)


def test_what_a_path_leads_to_is_told_in_words(tmp_path):
    (tmp_path / "run-1").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    names = ("run-1", "full", "full/file", "run1")
    told = {name: missed(tmp_path / name, "a run") for name in names}
    assert told["run-1"].endswith("expected a run, found an empty folder")
    assert told["full"].endswith("found a folder without it")
    assert told["full/file"].endswith("found a file")
    assert told["run1"].endswith(f"found nothing there; did you mean '{tmp_path / 'run-1'}'?")
