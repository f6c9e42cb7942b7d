"""Fetching from a server of our own: good, wrong and broken mirrors, and safe unpacking."""

import dataclasses
import gzip
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from test_data_cifar import write_hundred
from test_data_idx import write_mnist

from spikedoor.data import Cifar100, FashionMnist, Mnist
from spikedoor.data.archive import unpack
from spikedoor.data.download import Remote, fetch
from spikedoor.errors import DataError, MissingDataError, OutputError

BODY = bytes(range(256)) * 2000


class Server:
    """Serves bodies by path; a path that starts with ``/cut`` breaks off in the middle."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.encodings: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.encodings.append(self.headers["Accept-Encoding"])
                body = outer.bodies.get(self.path)
                self.send_response(404 if body is None else 200)
                body = body or b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                part = body[: len(body) // 2] if self.path.startswith("/cut") else body
                with suppress(ConnectionError):  # A client that saw enough hangs up.
                    self.wfile.write(part)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Server()
    yield made
    made.close()


def remote(server: Server, *paths: str, body: bytes = BODY, **fields) -> Remote:
    urls = tuple(server.base + path for path in paths)
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Remote(**{"file": "a/b.bin", "size": len(body), "md5": digest, "mirrors": urls} | fields)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_good_file_arrives_whole(server, tmp_path):
    server.bodies["/good"] = BODY
    fetch(remote(server, "/good"), tmp_path / "new" / "root")
    assert files(tmp_path) == ["new/root/a/b.bin"]
    path = tmp_path / "new/root/a/b.bin"
    assert path.read_bytes() == BODY
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert path.stat().st_mode == ordinary.stat().st_mode
    assert server.encodings == ["identity"]


def test_bad_mirrors_are_passed_over(server, tmp_path):
    server.bodies |= {"/cut": BODY, "/wrong": BODY[::-1], "/short": BODY[:9], "/good": BODY}
    fetch(remote(server, "/none", "/cut", "/wrong", "/short", "/good", "/never"), tmp_path)
    assert server.asked == ["/none", "/cut", "/wrong", "/short", "/good"]
    assert (tmp_path / "a/b.bin").read_bytes() == BODY
    assert files(tmp_path) == ["a/b.bin"]


def test_a_dead_server_is_passed_over(server, tmp_path):
    gone = Server()
    gone.close()
    server.bodies["/good"] = BODY
    dead = (f"{gone.base}/x", "http://[broken", f"{server.base}/good")
    fetch(remote(server, mirrors=dead), tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/none", None, "answered 404"),
        ("/cut", BODY, "connection failed|bytes, found"),
        ("/wrong", BODY[::-1], "expected MD5 [0-9a-f]{32}, found [0-9a-f]{32}"),
        ("/short", BODY[:-1], f"expected {len(BODY)} bytes, found {len(BODY) - 1}"),
        ("/long", BODY * 50, f"expected {len(BODY)} bytes, found more"),
    ],
)
def test_without_a_good_mirror_nothing_is_left(server, tmp_path, path, body, message):
    if body is not None:
        server.bodies[path] = body
    with pytest.raises(
        MissingDataError, match=f"a/b.bin: no mirror .*{path}: ({message})"
    ) as caught:
        fetch(remote(server, path), tmp_path)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == []


def test_an_older_file_survives_a_failed_fetch(server, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.bin").write_bytes(b"older")
    with pytest.raises(MissingDataError):
        fetch(remote(server, "/none"), tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == b"older"


def test_a_folder_that_cannot_be_written_is_an_output_error(server, tmp_path):
    (tmp_path / "root").write_text("a file, not a folder")
    with pytest.raises(OutputError, match=r"cannot write .*root"):
        fetch(remote(server, "/good"), tmp_path / "root")


def entry(name: str, body: bytes = b"", **fields) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, body


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, body in entries:
            archive.addfile(info, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), mtime=0)  # names of tests have it, and stay the same


GOOD = (entry("d", type=tarfile.DIRTYPE), entry("d/x", b"one"), entry("d/y", b"two"))


def test_unpacks_the_named_members_only(server, tmp_path):
    body = tar(*GOOD, entry("d/other", b"three"))
    server.bodies["/tar"] = body
    fetch(remote(server, "/tar", body=body, file="t.tar.gz", members=("d/x", "d/y")), tmp_path)
    assert files(tmp_path) == ["d/x", "d/y"]
    assert (tmp_path / "d/x").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry("/tmp/x", b"!"), "paths below the folder, found '/tmp/x'"),
        (entry("d/../../x", b"!"), r"found 'd/\.\./\.\./x'"),
        (entry("d\\..\\x", b"!"), "paths below the folder"),
        (entry("C:/x", b"!"), "paths below the folder"),
        (entry("d/z", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link or device d/z"),
        (entry("d/z", type=tarfile.LNKTYPE, linkname="d/x"), "link or device d/z"),
        (entry("d/z", type=tarfile.FIFOTYPE), "link or device d/z"),
        (entry("d/z", bytes(5000)), "at most 4000 bytes, found more"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_bad_archives_leave_nothing(tmp_path, bad, message, first):
    archive = tmp_path / "t.tar.gz"
    archive.write_bytes(tar(*((bad, *GOOD) if first else (*GOOD, bad))))
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DataError, match=rf"t\.tar\.gz: expected .*{message}"):
        unpack(archive, root, ("d/x", "d/y"), max_bytes=4000)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no archive at all", "a whole tar archive"),
        (gzip.compress(b"x" * 2000, mtime=0), "a whole tar archive"),
        (tar(entry("d/z" * 400_000, b"!")), "a whole tar archive: expected headers of at most"),
        (tar(*GOOD[:2]), "the file d/y, found none"),
        (tar(*GOOD[:2], entry("d/y", type=tarfile.DIRTYPE)), "the file d/y, found none"),
    ],
)
def test_damaged_archives_leave_nothing(tmp_path, body, message):
    archive = tmp_path / "t.tar.gz"
    archive.write_bytes(body)
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DataError, match=rf"t\.tar\.gz: expected {message}"):
        unpack(archive, root, ("d/x", "d/y"))
    assert list(root.iterdir()) == []


def test_an_archive_cut_anywhere_gives_whole_files_or_none(tmp_path):
    rng = np.random.default_rng(0)
    bodies = {name: rng.bytes(3000) for name in ("d/x", "d/y")}
    whole = tar(*(entry(name, body) for name, body in bodies.items()))
    archive, root = tmp_path / "t.tar.gz", tmp_path / "root"
    refused = 0
    for length in range(0, len(whole), 97):
        archive.write_bytes(whole[:length])
        root.mkdir()
        try:
            unpack(archive, root, tuple(bodies))
            assert {name: (root / name).read_bytes() for name in bodies} == bodies
        except DataError:
            refused += 1
            assert list(root.iterdir()) == []
        shutil.rmtree(root)
    assert refused > 50


@pytest.mark.network
@pytest.mark.parametrize("source", [Mnist, FashionMnist])
@pytest.mark.parametrize("mirror", [0, 1])
def test_published_mirrors(tmp_path, source, mirror):
    smallest = min(source.remotes, key=lambda item: item.size)
    fetch(dataclasses.replace(smallest, mirrors=smallest.mirrors[mirror : mirror + 1]), tmp_path)
    assert files(tmp_path) == [smallest.file]


def test_mnist_fetches_only_what_is_missing(server, tmp_path, monkeypatch):
    write_mnist(tmp_path / "there")
    packed = sorted((tmp_path / "there/MNIST/raw").iterdir())
    server.bodies = {f"/{path.name}": path.read_bytes() for path in packed}
    remotes = tuple(
        remote(server, f"/{path.name}", body=path.read_bytes(), file=f"MNIST/raw/{path.name}")
        for path in packed
    )
    monkeypatch.setattr(Mnist, "remotes", remotes)
    with pytest.raises(MissingDataError):
        Mnist(root=tmp_path / "here").load()
    assert server.asked == []
    dataset = Mnist(root=tmp_path / "here", download=True).load()
    assert dataset.checksums == Mnist(root=tmp_path / "there").load().checksums
    assert len(server.asked) == 4
    raw = tmp_path / "here/MNIST/raw"
    path = raw / "train-images-idx3-ubyte.gz"
    (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    Mnist(root=tmp_path / "here", download=True).load()
    assert server.asked[4:] == ["/t10k-labels-idx1-ubyte.gz"]


def test_cifar100_fetches_and_unpacks_its_archive(server, tmp_path, monkeypatch):
    write_hundred(tmp_path / "there")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(tmp_path / "there/cifar-100-python", "cifar-100-python")
    server.bodies["/c.tar.gz"] = buffer.getvalue()
    official = Cifar100.remotes[0]
    ours = remote(
        server, "/c.tar.gz", body=buffer.getvalue(), file=official.file, members=official.members
    )
    monkeypatch.setattr(Cifar100, "remotes", (ours,))
    source = Cifar100(root=tmp_path / "here", download=True)
    assert source.load().checksums == Cifar100(root=tmp_path / "there").load().checksums
    source.load()
    assert server.asked == ["/c.tar.gz"]
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["cifar-100-python"]
