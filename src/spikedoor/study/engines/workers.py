"""Local processes that each work on one node at a time."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from spikedoor.records import Store
from spikedoor.study.engines.base import Engine, Outcome, carry_out
from spikedoor.study.nodes import Node
from spikedoor.study.workshop import Workshop

__all__ = ["Workers"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 3
_HELD = 16  # results that a worker keeps in memory: inputs of what it is likely to do next


class _Worker:
    """A process with a pipe to it, and the node it works on."""

    def __init__(self, folder: Path) -> None:
        context: Any = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, str(folder), os.getpid()), daemon=True
        )
        self.process.start()
        theirs.close()
        self.node: Node | None = None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Workers(Engine):
    """Works in ``count`` processes of its own; one that dies is replaced and its node tried again.

    Args:
        folder: Folder of the store.
        count: Number of processes.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.slots = count
        self._folder = folder
        self._workers: list[_Worker] = []
        self._deaths: dict[str, int] = {}

    def submit(self, node: Node) -> None:
        worker = next((one for one in self._workers if one.node is None), None)
        if worker is None:
            worker = _Worker(self._folder)
            self._workers.append(worker)
        worker.node = node
        with suppress(OSError):  # it has died; `wait` will see that
            worker.pipe.send(node)

    def wait(self, seconds: float) -> list[Outcome]:
        busy: dict[Connection, _Worker] = {w.pipe: w for w in self._workers if w.node is not None}
        outcomes = []
        for pipe in wait(list(busy), seconds):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            try:
                outcomes.append(pipe.recv())
                assert worker.node is not None
                told = worker.node.short, outcomes[-1].ended, worker.process.pid
                _log.debug("%s: %s in process %d", *told)
                worker.node = None
            except (EOFError, OSError):
                outcomes += self._replaced(worker)
        return outcomes

    def _replaced(self, worker: _Worker) -> list[Outcome]:
        node = worker.node
        assert node is not None
        self._workers.remove(worker)
        worker.process.join()
        code = worker.process.exitcode
        worker.stop()
        deaths = self._deaths[node.key] = self._deaths.get(node.key, 0) + 1
        if deaths < _ATTEMPTS:
            self.submit(node)
            return []
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return [Outcome(node.key, "failed", f"its process ended {how}, {deaths} times")]

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers.clear()


def _serve(pipe: Connection, folder: str, parent: int) -> None:
    """Work on the nodes that come through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    _die_with(parent)
    # Progress bars of several processes would write over each other.
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    workshop = Workshop(Store(folder), hold=_HELD)
    with suppress(EOFError, OSError):
        while True:
            pipe.send(carry_out(pipe.recv(), workshop))


def _die_with(parent: int) -> None:
    """Have the system end this process when its parent ends, where it can (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit
