"""Malicious files, through the command line: one clear line, exit 3, no harm."""

import gzip
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from event_files import HEADER_3, atis
from test_data_unpickle import Evil, touch
from test_events_packed import claims
from test_fuzz import TARGETS

RULE = 'rule = { name = "direct", steps = 2 }\nattack = { trigger = "patch" }\n'
EVENTS = 'rule = { name = "direct", encoding = "frames" }\nattack = { trigger = "event-static" }\n'


@pytest.fixture
def refused(cli, tmp_path, monkeypatch):
    """Preview an experiment on some data, and return the one line that it is refused with."""
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SPIKEDOOR_DATA", str(tmp_path / "data"))

    def call(data: str, rest: str) -> str:
        Path("evil.toml").write_text(f"data = {data}\n{rest}")
        code, out, err = cli("preview", "evil.toml")
        assert (code, out) == (3, "")
        lines = err.splitlines()
        assert len(lines) == 1, err
        assert len(lines[0]) < 500
        return lines[0]

    return call


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_pickle_that_runs_a_command(refused, tmp_path):
    mark = tmp_path / "mark"
    payload = pickle.dumps({"label_names": Evil(os.system, touch(mark))}, 2)
    put(tmp_path / "data/cifar-10-batches-py/batches.meta", payload)
    assert "refused global posix.system" in refused('"cifar10"', RULE)
    assert not mark.exists()


@pytest.mark.parametrize("bomb", [False, True])
def test_a_zip(refused, tmp_path, bomb):
    path = tmp_path / "data/NMNIST/Train.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        name = "Train/0/00001.bin" if bomb else "../../0/evil.bin"
        archive.writestr(name, bytes(1 << 24) if bomb else atis([(0, 0, 0, 1)]))
    (tmp_path / "data/NMNIST/Test.zip").write_bytes(path.read_bytes())
    told = refused('"nmnist"', EVENTS)
    wanted = "expected at most 1048576 bytes" if bomb else "paths below the folder"
    assert wanted in told
    assert not list(tmp_path.glob("**/evil.bin"))


HUGE = struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, 2**31, 2**31, 2**31)


@pytest.mark.parametrize(
    ("file", "make", "message"),
    [
        ("x.aedat", lambda: HEADER_3 + HUGE, "expected a packet of 17179869184 bytes"),
        ("x.h5", lambda: claims("shape"), "found a claim of 268435456"),
        ("x.npy", lambda: pickle.dumps(Evil(os.system, "touch mark")), "header of NumPy"),
    ],
)
def test_a_recording(refused, tmp_path, file, make, message):
    put(tmp_path / "own/a" / file, make())
    put(tmp_path / "own/a/y.bin", atis([(0, 0, 0, 1)]))
    data = '{ name = "event-folder", path = "own", sensor = [128, 128] }'
    assert message in refused(data, EVENTS)
    assert not (tmp_path / "mark").exists()


def png(width: int, height: int) -> bytes:
    whole = bytearray(TARGETS["image"].seeds()[0])
    whole[16:24] = struct.pack(">II", width, height)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return bytes(whole)


@pytest.mark.parametrize("sides", [(1 << 13, 1 << 14), (1 << 15, 1 << 15), (1 << 31, 1)])
def test_an_image_that_claims_pixels(refused, tmp_path, sides):
    put(tmp_path / "own/a/x.png", png(*sides))
    put(tmp_path / "own/a/y.png", png(8, 8))
    told = refused('{ name = "image-folder", path = "own" }', RULE)
    assert "pixels" in told or "PNG" in told


def test_a_packed_idx_bomb(refused, tmp_path):
    head = struct.pack(">4B3I", 0, 0, 8, 3, 60000, 28, 28)
    bomb = gzip.compress(head + bytes(1 << 27), 1)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        put(tmp_path / f"data/MNIST/raw/{name}-ubyte.gz", bomb)
    assert "expected 47040000 bytes of pixels for 60000 x 28 x 28, found more" in refused(
        '"mnist"', RULE
    )


def test_a_run_folder(cli, tmp_path):
    """A record of a bomb; a link in place of a file; a file of configuration without end."""
    run = tmp_path / "run"
    files = TARGETS["record"].seeds()
    put(run / "record.json", files[0][1:])
    with zipfile.ZipFile(run / "record.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("labels", "targets"):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(
                    file, {"descr": "<i8", "fortran_order": False, "shape": (2**45,)}
                )
    code, _, err = cli("probe", run)
    assert code == 3
    assert f"{2**48} bytes of plain numbers" in err
    (run / "record.npz").unlink()
    (run / "record.npz").symlink_to("/dev/zero")
    code, _, err = cli("probe", run)
    assert (code, len(err.splitlines())) == (3, 1)
    assert "no regular file" in err
    (run / "record.json").write_text('{"schema": "\\u001b]0;evil\\u0007"}')
    code, _, err = cli("probe", run)
    assert code == 3
    assert "record of schema ?]0;evil?," in err
    code, _, err = cli("check", "/dev/zero")
    assert (code, len(err.splitlines())) == (2, 1)
