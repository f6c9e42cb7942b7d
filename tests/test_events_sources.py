"""Sources of recordings: folders, archives, splits, folds, and the cache they are kept in."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from event_files import atis
from source_cases import cache, numbers, pack, put, recording  # noqa: F401 (cache is a fixture)

from spikedoor.data import Digits, NCaltech101, NMnist
from spikedoor.data.events import source as module
from spikedoor.data.strata import fold
from spikedoor.errors import ConfigError, DataError, MissingDataError, OutputError


def nmnist(root: Path, train: int = 20, test: int = 10) -> None:
    for part, count in (("Train", train), ("Test", test)):
        for number in range(count):
            label = number * 7 % 10
            put(root / f"NMNIST/{part}/{label}/{number + 1:05}.bin", atis(recording(number)))


def test_nmnist_comes_in_order_of_its_numbers_from_folders_and_from_archives(tmp_path):
    nmnist(tmp_path)
    put(tmp_path / "NMNIST/Train/0/.00099.bin", b"no recording")
    put(tmp_path / "NMNIST/Train/readme.txt", b"read me")
    data = NMnist(root=tmp_path).load()
    assert numbers(data.train) == list(range(20))
    assert data.train.labels.tolist() == [n * 7 % 10 for n in range(20)]
    assert numbers(data.test) == list(range(10))
    assert (data.train.shape, data.train.name) == ((2, 34, 34), "nmnist/train")
    assert not data.train.simulated
    for part in ("Train", "Test"):
        pack(tmp_path / "NMNIST" / part)
    packed = NMnist(root=tmp_path).load()
    assert numbers(packed.train) == numbers(data.train)
    # Files with a dot in front are packed, and left out, as they were.
    assert packed.checksums == data.checksums
    assert sorted(path.name for path in (tmp_path / "NMNIST").iterdir()) == [
        "Test.zip",
        "Train.zip",
    ]


def test_checksums_are_of_names_and_files_in_order(tmp_path):
    nmnist(tmp_path, train=3)
    total = hashlib.sha256()
    for path in sorted((tmp_path / "NMNIST/Train").glob("*/*.bin")):
        name = f"{path.parent.name}/{path.name}".encode()
        total.update(name + b"\0" + hashlib.sha256(path.read_bytes()).hexdigest().encode())
    assert NMnist(root=tmp_path).load().checksums["train"] == total.hexdigest()


def test_what_is_kept_is_not_read_again_until_a_file_changes(tmp_path, cache, monkeypatch):  # noqa: F811
    nmnist(tmp_path)
    first = NMnist(root=tmp_path).load()
    read = []
    original = module.parse
    monkeypatch.setattr(module, "parse", lambda *a: read.append(a[2]) or original(*a))
    again = NMnist(root=tmp_path).load()
    assert read == []
    assert again.checksums == first.checksums
    assert numbers(again.test) == numbers(first.test)
    assert all(is_mapped(getattr(again.train.events, column)) for column in "xytp")
    put(tmp_path / "NMNIST/Train/0/00001.bin", atis([(1, 1, 1, 1), (2, 2, 34, 0), (3, 3, 34, 0)]))
    changed = NMnist(root=tmp_path).load()
    assert len(read) == 30
    assert numbers(changed.train)[:2] == [31, 1]
    assert changed.checksums["train"] != first.checksums["train"]
    assert changed.checksums["test"] == first.checksums["test"]
    # What the stale cache mapped is still there for those who hold it; the folder is not.
    assert numbers(first.train) == list(range(20))
    assert len(list((cache / "events").iterdir())) == 1


def is_mapped(array: np.ndarray) -> bool:
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)


def damaged(kind: str, folder: Path) -> None:
    if kind == "cut":
        os.truncate(folder / "t.npy", 200)
    elif kind == "gone":
        (folder / "labels.npy").unlink()
    elif kind == "note":
        (folder / "note.json").write_text('{"mark": []')
    elif kind == "type":
        np.save(folder / "p.npy", np.zeros(60, np.int8))
    else:
        np.save(folder / "offsets.npy", np.arange(31)[::-1])


@pytest.mark.parametrize("kind", ["cut", "gone", "note", "type", "offsets"])
def test_a_damaged_cache_is_made_anew(tmp_path, cache, kind):  # noqa: F811
    nmnist(tmp_path)
    NMnist(root=tmp_path).load()
    (folder,) = (cache / "events").iterdir()
    damaged(kind, folder)
    assert numbers(NMnist(root=tmp_path).load().train) == list(range(20))
    assert [path.name for path in (cache / "events").iterdir()] == [folder.name]


def test_a_file_that_is_wrong_leaves_no_cache(tmp_path, cache):  # noqa: F811
    nmnist(tmp_path)
    put(tmp_path / "NMNIST/Test/0/00001.bin", atis([(34, 0, 0, 0)]))
    with pytest.raises(DataError, match=r"^0/00001.bin: .* 34 x 34 pixels, found x 34 at byte 0"):
        NMnist(root=tmp_path).load()
    assert list((cache / "events").iterdir()) == []


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch):
    nmnist(tmp_path)
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(put(tmp_path / "file", b"")))
    with pytest.raises(OutputError, match="point SPIKEDOOR_CACHE"):
        NMnist(root=tmp_path).load()


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"NMNIST/Train or NMNIST/Train.zip"):
        NMnist(root=tmp_path).load()
    nmnist(tmp_path)
    put(tmp_path / "NMNIST/Train/ten/00001.bin", b"")
    with pytest.raises(DataError, match="folders 0 to 9, found 'ten'"):
        NMnist(root=tmp_path).load()
    put(tmp_path / "Caltech101.zip", b"PK no archive")
    with pytest.raises(DataError, match=r"Caltech101.zip: expected a whole zip archive"):
        NCaltech101(root=tmp_path).load()


def test_links_stay_in_the_folder(tmp_path):
    nmnist(tmp_path)
    outside = put(tmp_path / "outside.bin", atis(recording(1)))
    (tmp_path / "NMNIST/Train/0/00099.bin").symlink_to(outside)
    with pytest.raises(DataError, match="expected a link to a file in"):
        NMnist(root=tmp_path).load()


def test_limits_keep_shares_and_share_the_columns(tmp_path):
    nmnist(tmp_path)
    data = NMnist(root=tmp_path, train_limit=10, test_limit=1).load()
    assert sorted(data.train.labels.tolist()) == list(range(10))
    assert numbers(data.train) == list(range(10))
    assert len(data.test) == 1
    assert data.train.events is data.test.events


def test_folds_pool_and_divide_evenly(tmp_path):
    nmnist(tmp_path)
    tested = []
    for k in range(3):
        data = NMnist(root=tmp_path, fold=k, folds=3).load()
        assert np.bincount(data.test.labels, minlength=10).tolist() == [1] * 10
        assert np.bincount(data.train.labels, minlength=10).tolist() == [2] * 10
        pairs = zip(numbers(data.test), data.test.labels.tolist(), strict=True)
        assert all(number * 7 % 10 == label for number, label in pairs)
        tested += numbers(data.test)
    assert sorted(tested) == sorted([*range(20), *range(10)])
    with pytest.raises(DataError, match="at least 31 samples, found 30"):
        NMnist(root=tmp_path, fold=0, folds=31).load()
    with pytest.raises(ConfigError, match=r"fold: expected 0\.\.4, got 5"):
        NMnist(fold=5)


def test_images_fold_too():
    whole = Digits().load()
    pixels = np.concatenate([whole.train.images, whole.test.images])
    parts = [Digits(fold=k).load() for k in range(5)]
    assert sorted(len(part.test) for part in parts) == [359, 359, 359, 360, 360]
    tested = np.concatenate([part.test.images for part in parts])
    assert sorted(map(bytes, tested)) == sorted(map(bytes, pixels))
    assert len({part.test.name for part in parts}) == 5


def test_folds_of_a_class_differ_by_one_at_most():
    labels = np.random.default_rng(0).integers(0, 7, 100)
    folds = [fold(labels, k, 6) for k in range(6)]
    counts = np.array([np.bincount(labels[out], minlength=7) for _, out in folds])
    assert np.ptp(counts, 0).max() == 1
    assert np.ptp(counts.sum(1)) == 1
    for rest, out in folds:
        assert sorted([*rest, *out]) == list(range(100))
