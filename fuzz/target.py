"""A target of fuzzing: a reader, whole files to start from, and words of its format."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
if str(TESTS) not in sys.path:
    sys.path.append(str(TESTS))


@dataclass(frozen=True)
class Target:
    """A reader: `run` takes any bytes; errors of spikedoor are its only ones."""

    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], object]
    words: tuple[bytes, ...] = ()


@cache
def scratch() -> Path:
    """Return a folder of this process, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def several(
    whole: Callable[[], dict[str, bytes]],
    run: Callable[[dict[str, bytes]], object],
    words: tuple[bytes, ...] = (),
) -> Target:
    """Fuzz files that are read together: the first byte of an input picks which to replace."""
    kept = cache(whole)

    def seeds() -> list[bytes]:
        return [bytes([i]) + content for i, content in enumerate(kept().values())]

    def replaced(data: bytes) -> object:
        files = kept()
        name = list(files)[data[0] % len(files)] if data else next(iter(files))
        return run({**files, name: data[1:]})

    return Target(seeds, replaced, words)
