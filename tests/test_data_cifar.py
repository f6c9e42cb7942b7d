"""CIFAR-10 and CIFAR-100, on small files in the official format."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data import Cifar10, Cifar100
from spikedoor.data import cifar as module
from spikedoor.errors import ConfigError, DataError, MissingDataError

ROWS = 10
KINDS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def batch(number: int, key: bytes = b"labels", count: int = ROWS) -> dict:
    pixels = np.random.default_rng(number).integers(0, 256, (count, 3072), np.uint8)
    return {b"data": pixels, key: [(k + number) % 10 for k in range(count)], b"filenames": [b"x"]}


def write(folder: Path, contents: dict[str, object], protocol: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content, protocol))


def write_ten(root: Path, **changes: object) -> None:
    contents = {f"data_batch_{number}": batch(number) for number in range(1, 6)}
    names = [name.encode() for name in KINDS]
    meta = {b"label_names": names, b"num_cases_per_batch": ROWS}
    contents |= {"test_batch": batch(6), "batches.meta": meta}
    write(root / "cifar-10-batches-py", {**contents, **changes})


def write_hundred(root: Path) -> None:
    meta = {
        f"{kind}_label_names": [f"{kind} {k}" for k in range(count)]
        for kind, count in (("fine", 100), ("coarse", 20))
    }
    contents: dict[str, object] = {"meta": meta}
    for number, part in enumerate(("train", "test")):
        content = batch(number, b"fine_labels")
        content[b"fine_labels"] = [99 - k for k in range(ROWS)]
        content[b"coarse_labels"] = [19 - k for k in range(ROWS)]
        contents[part] = content
    write(root / "cifar-100-python", contents)


def test_cifar10_loads_batches_in_order(tmp_path):
    write_ten(tmp_path)
    dataset = Cifar10(root=tmp_path).load()
    assert dataset.train.shape == (3, 32, 32)
    assert dataset.train.classes == KINDS
    expected = np.concatenate([batch(k)[b"data"] for k in range(1, 6)])
    np.testing.assert_array_equal(dataset.train.images.reshape(-1, 3072), expected)
    assert dataset.train.labels.tolist() == [(k + n) % 10 for n in range(1, 6) for k in range(10)]
    np.testing.assert_array_equal(dataset.test.images.reshape(-1, 3072), batch(6)[b"data"])
    folder = tmp_path / "cifar-10-batches-py"
    assert dataset.checksums == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()
    }


def test_a_row_is_red_then_green_then_blue_line_by_line(tmp_path):
    content = batch(1)
    row = np.zeros((3, 32, 32), np.uint8)
    row[1, 2, 5] = 200  # green, third line, sixth column
    content[b"data"][0] = row.ravel()
    assert content[b"data"][0, 1024 + 2 * 32 + 5] == 200
    write_ten(tmp_path, data_batch_1=content)
    np.testing.assert_array_equal(Cifar10(root=tmp_path).load().train.images[0], row)


@pytest.mark.parametrize(("kind", "count", "first"), [("fine", 100, 99), ("coarse", 20, 19)])
def test_cifar100_has_fine_and_coarse_labels(tmp_path, kind, count, first):
    write_hundred(tmp_path)
    dataset = Cifar100(root=tmp_path, labels=kind).load()
    assert len(dataset.train.classes) == count
    assert dataset.test.labels.tolist() == [first - k for k in range(ROWS)]
    assert dataset.train.classes[first] == f"{kind} {first}"
    np.testing.assert_array_equal(
        dataset.test.images.reshape(ROWS, 3072), batch(1, b"fine_labels")[b"data"]
    )
    assert set(dataset.checksums) == {"meta", "train", "test"}


def test_cifar100_defaults_to_fine_and_refuses_others():
    assert Cifar100().labels == "fine"
    with pytest.raises(ConfigError, match="cifar100: labels"):
        Cifar100(labels="medium")  # pyright: ignore[reportArgumentType]


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def changed(**fields: object) -> dict:
    return {**batch(2), **{key.encode(): value for key, value in fields.items()}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(data=Evil()), r"refused global (posix|nt)\.system"),
        (changed(data=np.zeros((ROWS, 3071), np.uint8)), r"\[N, 3072\] .* found \[10, 3071\]"),
        (changed(data=np.zeros(3072, np.uint8)), r"found \[3072\]"),
        (changed(data=b"x"), "found no array"),
        (changed(data=np.zeros((ROWS, 3072))), "arrays of unsigned bytes"),
        (changed(data=np.asfortranarray(np.ones((ROWS, 3072), np.uint8))), "in row order"),
        (changed(labels=[0] * 9), "expected 10 labels, found 9"),
        (changed(labels=[0] * 9 + [10]), r"labels in 0\.\.9, found 10"),
        (changed(labels=[-1] * 10), r"found -1"),
        (changed(labels=[True] * 10), "list of whole numbers under 'labels'"),
        (changed(labels=[[0]] * 10), "list of whole numbers under 'labels'"),
        (changed(labels="0123456789"), "list of whole numbers under 'labels'"),
        (batch(2, count=11), "expected 10 images, found 11"),
        ([1, 2], "expected a dictionary"),
    ],
)
def test_wrong_batches_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    write_ten(tmp_path, data_batch_2=content)
    with pytest.raises(DataError, match=message) as caught:
        Cifar10(root=tmp_path).load()
    assert str(caught.value).startswith("data_batch_2: ")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({b"num_cases_per_batch": ROWS}, "10 names under 'label_names'"),
        ({b"label_names": [b"a"] * 10, b"num_cases_per_batch": ROWS}, "10 distinct names"),
        ({b"label_names": [1, *"bcdefghij"], b"num_cases_per_batch": ROWS}, "10 distinct names"),
        ({b"label_names": list("abcdefghij"), b"num_cases_per_batch": 10**9}, r"1\.\.10000"),
        ({b"label_names": list("abcdefghij"), b"num_cases_per_batch": "9"}, r"1\.\.10000"),
    ],
)
def test_wrong_class_names_are_refused(tmp_path, meta, message):
    write_ten(tmp_path, **{"batches.meta": meta})
    with pytest.raises(DataError, match=rf"batches\.meta: expected .*{message}"):
        Cifar10(root=tmp_path).load()


def test_truncated_large_and_missing_files_are_refused(tmp_path, monkeypatch):
    write_ten(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_4"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(DataError, match="data_batch_4: expected a whole pickle"):
        Cifar10(root=tmp_path).load()
    path.write_bytes(whole)
    with monkeypatch.context() as patch:
        largest = max(file.stat().st_size for file in path.parent.iterdir())
        patch.setattr(module, "_MAX_BYTES", largest - 1)
        with pytest.raises(DataError, match=f"at most {largest - 1} bytes, found {largest}"):
            Cifar10(root=tmp_path).load()
    path.unlink()
    with pytest.raises(MissingDataError, match="data_batch_4"):
        Cifar10(root=tmp_path).load()
