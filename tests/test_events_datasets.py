"""The official data sets of recordings, and folders of one's own: classes, splits, real files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from event_files import HEADER_2, aedat2, aedat3, atis, packet
from source_cases import cache, numbers, pack, put, recording  # noqa: F401 (cache is a fixture)

from spikedoor.data import Cifar10Dvs, DvsGesture, EventFolder, Mnist, NCaltech101, NMnist
from spikedoor.errors import ConfigError, DataError

REAL = os.environ.get("SPIKEDOOR_DATA", "")


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
