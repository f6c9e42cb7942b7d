"""Entries with made-up keys, for the tests of the store."""

import hashlib
import subprocess
import sys
from pathlib import Path

import spikedoor
from spikedoor.records import Entry, Store

FILES = {"weights.bin": bytes(range(256)) * 4, "notes.txt": b"two files", "empty": b""}


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def put(store: Store, name: object, kind: str = "ann", made_from: tuple[object, ...] = ()) -> Entry:
    """Write an entry whose key and contents follow from a name."""
    inputs = {str(other): key(other) for other in made_from}
    config = {"name": str(name), "rate": 0.1, "nested": {"list": [1, None, True, "ü"]}}
    return store.write(
        key(name), kind, FILES, config=config, inputs=inputs, seconds=1.5, environment={"cores": 2}
    )


def names(folder: Path) -> list[str]:
    """Return the paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in a fresh interpreter that finds this package and these cases."""
    paths = (Path(spikedoor.__file__).parent.parent, Path(__file__).parent)
    code = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{code}"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
