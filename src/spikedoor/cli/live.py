"""The live view of a sweep on a terminal: what runs, what is done, what failed and why."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from spikedoor import progress

if TYPE_CHECKING:
    from spikedoor.study import Campaign
    from spikedoor.study.nodes import Node
    from spikedoor.study.schedule import Board

__all__ = ["live"]

_FAILURES = 6


@contextmanager
def live(campaign: Campaign, todo: dict[str, Node]) -> Iterator[Callable[[Board], None]]:
    """Yield what is shown the board while a sweep runs; off a terminal, it tells of failures only.

    The time left counts what earlier results of the same kind took.
    """
    if not progress.shown():
        yield _told_once()
        return
    from rich.live import Live

    from spikedoor.study.forecast import History

    history = History(campaign.store)
    expected = {key: history.estimate([node]).seconds for key, node in todo.items()}
    view = _View(campaign, expected)
    with (
        progress.embedded() as bars,
        Live(console=Console(stderr=True), get_renderable=lambda: view.drawn(bars), transient=True,
             refresh_per_second=4),
    ):  # fmt: skip
        yield view.show


def _told_once() -> Callable[[Board], None]:
    told: set[str] = set()

    def watch(board: Board) -> None:
        for key, reason in board.failed.items():
            if key not in told:
                told.add(key)
                print(f"failed: {board.todo[key].short}: {reason}", file=sys.stderr, flush=True)

    return watch


class _View:
    def __init__(self, campaign: Campaign, expected: dict[str, float]) -> None:
        self._kinds = Counter(node.kind for node in campaign.nodes())
        self._expected = expected
        self._board: Board | None = None
        self._start = time.monotonic()

    def show(self, board: Board) -> None:
        self._board = board

    def drawn(self, bars: RenderableType) -> RenderableType:
        board = self._board
        if board is None:
            return Text("planning")
        left = Counter(node.kind for key, node in board.todo.items() if key not in board.done)
        counts = Table.grid(padding=(0, 2))
        for kind, total in self._kinds.items():
            counts.add_row(kind, f"{total - left[kind]} of {total}")
        now = time.monotonic()
        running = Table.grid(padding=(0, 2))
        for key, since in board.running.items():
            running.add_row(f"[cyan]{board.todo[key].short}[/]", f"{now - since:.0f} s")
        failed = [
            Text(
                f"failed {board.todo[key].short}: {reason}",
                "red",
                overflow="ellipsis",
                no_wrap=True,
            )
            for key, reason in list(board.failed.items())[-_FAILURES:]
        ]
        return Group(Text(self._headline(board, now), "bold"), counts, running, bars, *failed)

    def _headline(self, board: Board, now: float) -> str:
        from spikedoor.cli.sweeps import duration

        gone = now - self._start
        made = sum(self._expected[key] for key in board.done)
        rest = sum(seconds for key, seconds in self._expected.items() if key not in board.done)
        pace = gone / made if made else 1 / max(len(board.running), 1)
        left = f", about {duration(rest * pace)} left" if rest else ""
        failed = f", {len(board.failed)} failed" if board.failed else ""
        return f"{len(board.done)} of {len(board.todo)} stages, {duration(gone)}{left}{failed}"
