"""The idx reader, on files written by hand, and the two data sets that use it."""

import gzip
import hashlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data import FashionMnist, Mnist
from spikedoor.data.idx import parse_idx
from spikedoor.errors import DataError, MissingDataError


def idx(shape: tuple[int, ...], body: bytes, magic: bytes | None = None) -> bytes:
    start = bytes((0, 0, 8, len(shape))) if magic is None else magic
    return start + struct.pack(f">{len(shape)}I", *shape) + body


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # names of tests have it, and stay the same


PIXELS = bytes(range(24))
GOOD = idx((2, 3, 4), PIXELS)


@pytest.mark.parametrize("pack", [bytes, zipped])
def test_reads_what_was_written(pack):
    array = parse_idx(pack(GOOD), 3, "x")
    assert array.dtype == np.uint8
    assert array.shape == (2, 3, 4)
    assert array[1, 2, 3] == 23
    assert array[1, 0, 0] == 12


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with 00 00 08 03, found nothing"),
        (b"\x00\x00", "found 00 00"),
        (idx((2, 3, 4), PIXELS, b"\0\0\x0d\x03"), "starts with 00 00 08 03, found 00 00 0d 03"),
        (idx((24,), PIXELS), "found 00 00 08 01"),
        (GOOD[:9], "header of 16 bytes, found 9"),
        (GOOD[:-1], r"expected 24 bytes of pixels for 2 x 3 x 4, found 23"),
        (GOOD + b"!", r"expected 24 bytes of pixels for 2 x 3 x 4, found more"),
        (zipped(GOOD[:-4]), r"expected 24 bytes of pixels for 2 x 3 x 4, found 20"),
        (zipped(GOOD + b"!"), "found more"),
        (zipped(GOOD) + zipped(b"more"), "found more"),
        (zipped(GOOD)[:-9], "24 bytes of pixels .*, found "),
        (zipped(GOOD)[:-8] + b"\0" * 8, "whole gzip file: CRC check failed"),
        (b"\x1f\x8b" + b"\xff" * 30, "whole gzip file"),
        (idx((0, 3, 4), b""), "expected between 1 and .* bytes of pixels, found 0 x 3 x 4"),
        (idx((2**31, 2**31, 2**31), b""), "found 2147483648 x 2147483648 x 2147483648"),
    ],
)
def test_wrong_files_are_refused_in_one_line(data, message):
    with pytest.raises(DataError, match=message) as caught:
        parse_idx(data, 3, "x.gz")
    assert str(caught.value).startswith("x.gz: ")
    assert "\n" not in str(caught.value)


def peak(action) -> int:
    tracemalloc.start()
    try:
        action()
    finally:
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return reached


def test_a_bomb_is_read_no_further_than_its_header_says():
    bomb = gzip.compress(idx((2, 3, 4), bytes(200_000_000)), 1)
    assert len(bomb) < 1_000_000

    def read():
        with pytest.raises(DataError, match="found more"):
            parse_idx(bomb, 3, "x.gz")

    assert peak(read) < 5_000_000


def test_a_large_claim_allocates_nothing():
    def read():
        with pytest.raises(DataError, match=r"expected 1000000000 bytes of pixels .*, found 24"):
            parse_idx(zipped(idx((10, 10_000, 10_000), PIXELS)), 3, "x.gz")

    assert peak(read) < 5_000_000


def write_mnist(
    root: Path, folder: str = "MNIST", packed: bool = True, changes: dict[str, bytes] | None = None
) -> None:
    rng = np.random.default_rng(0)
    files = {}
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = rng.integers(0, 256, (count, 5, 4), np.uint8)
        files[f"{part}-images-idx3-ubyte"] = idx(pixels.shape, pixels.tobytes())
        files[f"{part}-labels-idx1-ubyte"] = idx((count,), bytes(k % 10 for k in range(count)))
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for name, data in {**files, **(changes or {})}.items():
        path = raw / (f"{name}.gz" if packed else name)
        path.write_bytes(zipped(data) if packed else data)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("source", "folder"), [(Mnist, "MNIST"), (FashionMnist, "FashionMNIST")])
def test_loads_packed_and_unpacked_files(tmp_path, source, folder, packed):
    write_mnist(tmp_path, folder, packed)
    dataset = source(root=tmp_path).load()
    assert dataset.name == source.name
    assert (len(dataset.train), len(dataset.test)) == (20, 10)
    assert dataset.train.shape == (1, 5, 4)
    assert dataset.train.labels.tolist() == [*range(10), *range(10)]
    assert len(dataset.train.classes) == 10
    expected = np.random.default_rng(0).integers(0, 256, (20, 5, 4), np.uint8)
    np.testing.assert_array_equal(dataset.train.images[:, 0], expected)
    files = sorted((tmp_path / folder / "raw").iterdir())
    assert dataset.checksums == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        (
            "train-labels-idx1-ubyte",
            idx((20,), bytes([17] * 20)),
            r"train-labels-idx1-ubyte\.gz: expected labels in 0\.\.9, found 17",
        ),
        (
            "t10k-labels-idx1-ubyte",
            idx((9,), bytes(9)),
            r"t10k-labels-idx1-ubyte\.gz: expected 10 labels .* found 9",
        ),
        (
            "t10k-images-idx3-ubyte",
            idx((10, 4, 4), bytes(160)),
            r"t10k-images-idx3-ubyte\.gz: expected images of \(1, 5, 4\) .* found \(1, 4, 4\)",
        ),
        (
            "train-images-idx3-ubyte",
            idx((60000, 28, 28), bytes(1234)),
            r"train-images-idx3-ubyte\.gz: expected 47040000 bytes of pixels "
            r"for 60000 x 28 x 28, found 1234",
        ),
    ],
)
def test_files_are_checked_against_each_other(tmp_path, file, data, message):
    write_mnist(tmp_path, changes={file: data})
    with pytest.raises(DataError, match=message):
        Mnist(root=tmp_path).load()


def test_a_missing_file_names_path_root_and_remedies(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingDataError) as caught:
        Mnist(root=tmp_path).load()
    text = str(caught.value)
    assert str(tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte.gz") in text
    assert f"data root {tmp_path};" in text
    assert "SPIKEDOOR_DATA" in text
    assert "root=..." in text
    assert "download=true" in text


def test_the_root_is_the_field_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    write_mnist(tmp_path / "variable")
    monkeypatch.setenv("SPIKEDOOR_DATA", str(tmp_path / "variable"))
    assert len(Mnist().load().train) == 20
    with pytest.raises(MissingDataError, match="nowhere"):
        Mnist(root=tmp_path / "nowhere").load()
    monkeypatch.delenv("SPIKEDOOR_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingDataError) as caught:
        Mnist().load()
    assert str(tmp_path / ".cache/spikedoor/data/MNIST/raw") in str(caught.value)


def test_limits_keep_the_class_proportions(tmp_path):
    labels = bytes([0] * 12 + [1] * 8)
    write_mnist(tmp_path, changes={"train-labels-idx1-ubyte": idx((20,), labels)})
    dataset = Mnist(root=tmp_path, train_limit=5, test_limit=3).load()
    whole = Mnist(root=tmp_path).load()
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_array_equal(dataset.train.images, whole.train.images[[0, 1, 2, 12, 13]])
    assert dataset.test.labels.tolist() == [0, 1, 2]
    assert len(Mnist(root=tmp_path, train_limit=999).load().train) == 20
