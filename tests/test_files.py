"""Writing a folder whole or not at all, and removing it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from file_cases import entries

from spikedoor.errors import OutputError
from spikedoor.files import check_free, make_folder, new_folder, remove, write_bytes


def fill(folder: Path) -> None:
    (folder / "part").mkdir()
    write_bytes(folder / "part" / "data", b"content")


def fill_new(target: Path, then: Callable[[], None]) -> None:
    """Fill a new folder, and do something before the block ends."""
    with new_folder(target) as aside:
        fill(aside)
        then()


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
