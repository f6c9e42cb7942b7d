"""Writing a file whole or not at all, and reading a plain one."""

import os
from pathlib import Path

import pytest
from file_cases import entries

from spikedoor.errors import OutputError
from spikedoor.files import missed, read_plain, write_bytes, write_file


def test_bytes_are_on_the_disk_before_the_call_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    write_bytes(tmp_path / "data", b"content")
    assert synced == [7]
    write_bytes(tmp_path / "data", b"new")
    assert (tmp_path / "data").read_bytes() == b"new"


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
