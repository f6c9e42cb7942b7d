"""Progress bars on a terminal, silence elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["bar", "embedded", "shown", "silent"]

_display: ContextVar[Progress | None] = ContextVar("spikedoor_progress", default=None)

silent: ContextVar[bool] = ContextVar("spikedoor_silent", default=False)
"""Set it to have nothing shown on a terminal either."""


def shown() -> bool:
    """Whether progress is to be seen: standard error is a terminal that can draw it, and may."""
    able = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return able and not silent.get()


@contextmanager
def bar(title: str, total: int, visible: bool = True) -> Iterator[Callable[..., None]]:
    """Show one bar while the block runs; call the yielded function to advance it.

    Bars nest in one display on standard error, which vanishes at the end. Where standard error
    is not a terminal, or `silent` is set, nothing is shown.

    Example:
        >>> with bar("count", total=3) as advance:
        ...     for _ in range(3):
        ...         advance()
    """
    if not visible:
        yield lambda count=1, note=None: None
        return
    display = _display.get()
    if display is None:
        display = _bars()
        with display:
            token = _display.set(display)
            try:
                with _task(display, title, total) as advance:
                    yield advance
            finally:
                _display.reset(token)
    else:
        with _task(display, title, total) as advance:
            yield advance


@contextmanager
def embedded() -> Iterator[Progress]:
    """Yield a display that somebody else draws; the block's bars go there."""
    display = _bars()
    token = _display.set(display)
    try:
        yield display
    finally:
        _display.reset(token)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not shown(),
    )


@contextmanager
def _task(display: Progress, title: str, total: int) -> Iterator[Callable[..., None]]:
    task = display.add_task(title, total=total, note="")

    def advance(count: int = 1, note: str | None = None) -> None:
        display.advance(task, count)
        if note is not None:
            display.update(task, note=note)

    try:
        yield advance
    finally:
        display.remove_task(task)
