"""Readers of images and archives: idx, pickles of CIFAR, PNG, JPEG and BMP, tar."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from gzip import compress

import numpy as np

from fuzz.target import Target, scratch
from spikedoor.data.archive import unpack
from spikedoor.data.cifar import _batch, _class_names
from spikedoor.data.decode import decode
from spikedoor.data.idx import parse_idx
from spikedoor.data.unpickle import parse_pickle


def _idx() -> list[bytes]:
    images = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes(range(5))
    return [images, labels, compress(images, mtime=0)]


def _read_idx(data: bytes) -> None:
    parse_idx(data, 1 if data[3:4] == b"\x01" else 3, "file")


def _cifar() -> list[bytes]:
    batch = {"data": np.zeros((1, 3072), np.uint8), "labels": [3], b"batch_label": "é" * 9}
    meta = {"label_names": ["a", b"b"], "num_cases_per_batch": 2, "n": (None, True, -1, 70000)}
    return [pickle.dumps(value, protocol) for value in (batch, meta) for protocol in (2, 3, 4)]


def _read_cifar(data: bytes) -> None:
    content = parse_pickle(data, "file")
    if "label_names" in content:
        _class_names(content, "label_names", 2, "file")
    else:
        _batch(content, "labels", 10, "file")


def _pictures() -> list[bytes]:
    from PIL import Image

    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    found = []
    for mode, kind in [(m, "PNG") for m in ("L", "RGBA", "P", "1")] + [
        ("RGB", "JPEG"),
        ("L", "BMP"),
    ]:
        buffer = io.BytesIO()
        grey.convert(mode).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def _read_picture(data: bytes) -> None:
    decode(data, "file")
    decode(data, "file", channels=1, size=16)


def _tar() -> list[bytes]:
    found = []
    for how in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=how) as tar:
            for name in ("folder/a", "folder/" + "c" * 120):
                entry = tarfile.TarInfo(name)
                entry.size = 3
                tar.addfile(entry, io.BytesIO(b"abc"))
        found.append(buffer.getvalue())
    return found


def _read_tar(data: bytes) -> None:
    """Unpack what is taken as the content of a gzip file, so that its checksum is right."""
    root = scratch() / "tar"
    root.mkdir(exist_ok=True)
    path = root / "archive.tar.gz"
    path.write_bytes(data if data.startswith(b"\x1f\x8b") else compress(data, 1))
    try:
        unpack(path, root, ("folder/a",))
    finally:
        beside = {child.name for child in root.iterdir()} - {path.name, "folder"}
        assert not beside, beside


TARGETS = {
    "idx": Target(_idx, _read_idx),
    "cifar": Target(
        _cifar, _read_cifar, (b"cnumpy\x0andarray\x0a", b"_codecs", b"latin1", b"data")
    ),
    "image": Target(
        _pictures, _read_picture, (b"IHDR", b"IDAT", b"tRNS", b"PLTE", b"acTL", b"iCCP")
    ),
    "tar": Target(_tar, _read_tar, (b"ustar", b"././@LongLink", b"size=", b"GNU.sparse.map=")),
}
