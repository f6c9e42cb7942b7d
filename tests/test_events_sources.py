"""Sources of recordings: folders, archives, splits, folds, and the cache they are kept in."""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from event_files import HEADER_2, Event, aedat2, aedat3, atis, packet

from spikedoor.data import (
    Cifar10Dvs,
    Digits,
    DvsGesture,
    EventFolder,
    Mnist,
    NCaltech101,
    NMnist,
)
from spikedoor.data.events import EventSet
from spikedoor.data.events import source as module
from spikedoor.data.strata import fold
from spikedoor.errors import ConfigError, DataError, MissingDataError, OutputError

REAL = os.environ.get("SPIKEDOOR_DATA", "")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(folder))
    return folder


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def recording(number: int) -> list[Event]:
    """Return events that tell the number."""
    return [(number, 1, 5, 1), (2, number, 7 + number, 0)]


def numbers(events: EventSet) -> list[int]:
    """Return the numbers that the recordings tell."""
    batch = events.batch(np.arange(len(events)))
    return (batch.durations - 2).tolist()


def nmnist(root: Path, train: int = 20, test: int = 10) -> None:
    for part, count in (("Train", train), ("Test", test)):
        for number in range(count):
            label = number * 7 % 10
            put(root / f"NMNIST/{part}/{label}/{number + 1:05}.bin", atis(recording(number)))


def pack(folder: Path, prefix: str = "") -> None:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, f"{prefix}{path.relative_to(folder.parent)}")
    shutil.rmtree(folder)


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


def test_what_is_kept_is_not_read_again_until_a_file_changes(tmp_path, cache, monkeypatch):
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
def test_a_damaged_cache_is_made_anew(tmp_path, cache, kind):
    nmnist(tmp_path)
    NMnist(root=tmp_path).load()
    (folder,) = (cache / "events").iterdir()
    damaged(kind, folder)
    assert numbers(NMnist(root=tmp_path).load().train) == list(range(20))
    assert [path.name for path in (cache / "events").iterdir()] == [folder.name]


def test_a_file_that_is_wrong_leaves_no_cache(tmp_path, cache):
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


def test_cifar10_dvs_matches_the_script_of_its_authors_and_takes_the_first_of_each_class(tmp_path):
    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    for label, name in enumerate(names):
        for number in range(10):
            events = recording(10 * label + number)
            put(tmp_path / f"CIFAR10DVS/{name}/cifar10_{name}_{number}.aedat", aedat2(events))
    # Bits 8-14, bits 1-7, bit 0 of the addresses, as published loaders take them apart.
    a, b, off = 30, 99, 1
    word = (a << 8 | b << 1 | off).to_bytes(4, "big") + bytes(4)
    put(tmp_path / "CIFAR10DVS/cat/cifar10_cat_9.aedat", HEADER_2 + word)
    data = Cifar10Dvs(root=tmp_path).load()
    assert data.train.labels.tolist() == [k for k in range(10) for _ in range(9)]
    assert data.test.labels.tolist() == list(range(10))
    assert numbers(data.test)[:3] == [9, 19, 29]
    one = data.test.batch(np.array([3]))
    assert [c.tolist() for c in (one.x, one.y, one.p)] == [[127 - a], [127 - b], [1 - off]]
    assert len(Cifar10Dvs(root=tmp_path, train_share=0.5).load().test) == 50
    for name in names[:3]:
        pack(tmp_path / "CIFAR10DVS" / name)
    assert Cifar10Dvs(root=tmp_path).load().checksums == data.checksums


def test_n_caltech101_is_read_from_a_folder_and_from_the_archive(tmp_path):
    for name in ("yin_yang", "BACKGROUND_Google"):
        for number in range(1, 5):
            events = [(233, 173, 0, 1), (0, 0, number + 2, 0)]
            put(tmp_path / f"Caltech101/{name}/image_{number:04}.bin", atis(events))
    source = NCaltech101(root=tmp_path, train_share=0.75)
    data = source.load()
    assert data.train.classes == ("BACKGROUND_Google", "yin_yang")
    assert (numbers(data.train), numbers(data.test)) == ([1, 2, 3, 1, 2, 3], [4, 4])
    assert data.train.shape == (2, 180, 240)
    pack(tmp_path / "Caltech101")
    packed = source.load()
    assert packed.checksums == data.checksums
    assert numbers(packed.train) == numbers(data.train)


def gesture(root: Path) -> None:
    events = [(1, 1, t, 1) for t in range(0, 1000, 10)]
    for user in ("user01_led", "user02_lab", "user24_led"):
        put(root / f"DvsGesture/{user}.aedat", aedat3(packet(events[:70]), packet(events[70:])))
        labels = b"class,startTime_usec,endTime_usec\n1,95,200\n11,150,310\n"
        put(root / f"DvsGesture/{user}_labels.csv", labels)
    put(root / "DvsGesture/trials_to_train.txt", b"user01_led.aedat\r\nuser02_lab.aedat\r\n\r\n")
    put(root / "DvsGesture/trials_to_test.txt", b"user24_led.aedat\n")


def test_dvs_gesture_is_cut_by_its_labels_and_split_by_person(tmp_path):
    gesture(tmp_path)
    data = DvsGesture(root=tmp_path).load()
    assert data.train.labels.tolist() == [0, 10, 0, 10]
    assert data.test.labels.tolist() == [0, 10]
    one = data.test.batch(np.array([0, 1]))
    # From the start on, which may come before the first event, and before the end.
    assert one.t[: one.counts[0]].tolist() == list(range(5, 105, 10))
    assert one.t[one.counts[0] :].tolist() == list(range(0, 160, 10))
    csv = tmp_path / "DvsGesture/user24_led_labels.csv"
    csv.write_bytes(b"class,startTime_usec,endTime_usec\n3,5,200\n")
    changed = DvsGesture(root=tmp_path).load()
    assert changed.test.labels.tolist() == [2]
    assert changed.checksums["test"] != data.checksums["test"]
    csv.write_bytes(b"class,startTime_usec,endTime_usec\n3,2000,2001\n")
    with pytest.raises(DataError, match=r"user24_led.aedat: class 3 from 2000 to 2001: .* none"):
        DvsGesture(root=tmp_path).load()
    csv.unlink()
    with pytest.raises(DataError, match=r"trials_to_test.txt: .*user24_led_labels.csv"):
        DvsGesture(root=tmp_path).load()


def test_event_folders_mix_formats_and_hold_out_a_share(tmp_path):
    for number in range(20):
        name = f"{'ab'[number % 2]}/{number:02}"
        if number < 10:
            put(tmp_path / f"{name}.bin", atis(recording(number)))
        else:
            put(tmp_path / f"{name}.aedat", aedat3(packet(recording(number))))
    source = EventFolder(path=tmp_path, sensor=(128, 128), seed=3)
    data = source.load()
    assert data.train.classes == ("a", "b")
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert sorted(numbers(data.train) + numbers(data.test)) == list(range(20))
    assert all(n % 2 == k for n, k in zip(numbers(data.test), data.test.labels, strict=True))
    other = source.model_copy(update={"seed": 4}).load()
    assert numbers(other.test) != numbers(data.test)
    with pytest.raises(DataError, match="9 x 9 pixels"):
        EventFolder(path=tmp_path, sensor=(9, 9)).load()


def test_event_folders_with_a_test_folder_keep_to_it(tmp_path):
    for part, name in (("train", "a"), ("train", "b"), ("test", "b")):
        put(tmp_path / part / name / "1.bin", atis(recording(len(name))))
    source = EventFolder(path=tmp_path, sensor=(34, 34))
    data = source.load()
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1], [1])
    put(tmp_path / "test/c/1.bin", atis(recording(1)))
    with pytest.raises(DataError, match=r"classes of train/, found 'c'"):
        source.load()
    with pytest.raises(ConfigError, match="nothing to fetch"):
        EventFolder(path=tmp_path, sensor=(34, 34), download=True)
    with pytest.raises(ConfigError, match="sides in"):
        EventFolder(path=tmp_path, sensor=(34, 0))


def slowly(data: bytes) -> list[tuple[int, int, int, int]]:
    """Read a `.bin` file by the published description, an event at a time."""
    events = []
    for at in range(0, len(data), 5):
        word = int.from_bytes(data[at : at + 5], "big")
        events.append((word >> 32, word >> 24 & 255, word & (1 << 23) - 1, word >> 23 & 1))
    return [(x, y, t - events[0][2], p) for x, y, t, p in events]


@pytest.mark.skipif(not Path(REAL, "NMNIST").is_dir(), reason="needs NMNIST below SPIKEDOOR_DATA")
def test_real_recordings():
    data = NMnist().load()
    assert (len(data.train), len(data.test)) == (1000, 100)
    files = sorted(Path(REAL, "NMNIST").glob("T*/*/*.bin"))
    assert data.train.events.offsets[-1] == sum(path.stat().st_size for path in files) // 5
    data.train.events.check("nmnist")
    for path in files[::97]:
        part = data.train if path.parent.parent.name == "Train" else data.test
        one = part.batch(np.array([int(path.stem) - 1]))
        columns = [getattr(one, name).tolist() for name in "xytp"]
        assert list(zip(*columns, strict=True)) == slowly(path.read_bytes())
        assert part.labels[int(path.stem) - 1] == int(path.parent.name)


@pytest.mark.skipif(
    not (Path(REAL, "NMNIST").is_dir() and Path(REAL, "MNIST").is_dir()),
    reason="needs NMNIST and MNIST below SPIKEDOOR_DATA",
)
def test_real_recordings_show_the_digits_of_mnist_with_the_same_numbers():
    events, images = NMnist().load(), Mnist().load()
    for part, pictures in ((events.train, images.train), (events.test, images.test)):
        assert part.labels.tolist() == pictures.labels[: len(part)].tolist()
    # A camera sees edges: most recordings are likest to those of their own image, of fifty.
    first = events.test.batch(np.arange(50))
    seen = np.zeros((50, 34, 34))
    np.add.at(seen, (first.recording, first.y, first.x), 1)
    grey = np.pad(images.test.images[:50, 0].astype(float), ((0, 0), (3, 3), (3, 3)))
    edges = np.abs(np.gradient(grey, axis=1)) + np.abs(np.gradient(grey, axis=2))
    flat, other = seen.reshape(50, -1), edges.reshape(50, -1)
    likeness = np.corrcoef(flat, other)[:50, 50:]
    assert (likeness.argmax(1) == np.arange(50)).mean() > 0.5
