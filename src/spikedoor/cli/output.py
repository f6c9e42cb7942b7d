"""What every verb prints with, and where it writes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedoor.cli.loudness import is_quiet

if TYPE_CHECKING:
    from rich.table import Table

    from spikedoor.records import Record

__all__ = ["as_json", "claimed", "complain", "note", "print_json", "print_records", "print_table",
           "printable", "remark", "say", "say_entry", "until_nobody_reads"]  # fmt: skip


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End in silence where the reader of standard output or error has gone, as `head` does."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    try:
        try:
            yield
        finally:
            for stream in streams:
                stream.flush()
    except (BrokenPipeError, SystemExit) as error:
        # Typer makes an end of its own of a broken pipe, with another exit code.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            os.dup2(nowhere, stream.fileno())
        raise SystemExit(141) from None


def say(text: str = "") -> None:
    """Print to standard output; where its reader has gone, end in silence."""
    with until_nobody_reads():
        print(text, flush=True)


def remark(text: str) -> None:
    """Print what is no result, unless only results are wanted."""
    if not is_quiet():
        say(text)


def note(text: str) -> None:
    """Print advice to standard error, unless only results are wanted."""
    if not is_quiet():
        print("note:", text, file=sys.stderr)


def say_entry(head: str, text: str) -> None:
    """Print a line of a list: on a terminal what does not fit goes below the text's beginning."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, max(width - len(head), 12), break_on_hyphens=False)
    say(head + text.replace("\n", "\n" + " " * len(head)))


def complain(message: str) -> None:
    """Print an error as one line, without what would steer the terminal: files have a say in it."""
    print("error:", printable(" ".join(message.split())), file=sys.stderr)


def printable(text: str) -> str:
    """Return a text without what would steer the terminal, such as a stranger's file name."""
    return "".join(c if c.isprintable() else "?" for c in text)


def as_json(value: Any) -> str:
    """Return JSON for people and programs."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)


def print_json(value: Any) -> None:
    """Print as JSON."""
    say(as_json(value))


def print_table(*tables: Table) -> None:
    """Print tables for a terminal, in colour unless that is not wanted."""
    import io

    from rich.console import Console

    console = Console(highlight=False)
    lines = Console(
        file=io.StringIO(),
        force_terminal=console.is_terminal,
        no_color=console.no_color,
        color_system="auto" if console.is_terminal else None,
        width=console.width,
        highlight=False,
    )
    for table in tables:
        lines.print(table)
        lines.print()
    assert isinstance(lines.file, io.StringIO)
    say(lines.file.getvalue().rstrip("\n"))


def print_records(records: list[Record], every_step: bool = False) -> None:
    """Print the table of records: laid out on a terminal, a line a row in a pipe."""
    from spikedoor.report.rows import notes
    from spikedoor.report.tables import tables, text

    if not sys.stdout.isatty():
        say(text(records, every_step))
        return
    width = shutil.get_terminal_size().columns
    print_table(*tables(records, width, every_step))
    say()
    for note in notes(records):
        say(textwrap.fill(note, min(width, 110)))


@contextmanager
def claimed(out: Path | None, stem: str) -> Iterator[Path]:
    """Yield the folder to write: the one asked for, or the next free ``runs/<stem>-N``.

    The latter is made at once, empty, so that no other run takes it; it is removed if it stays so.

    Raises:
        OutputError: If the folder is occupied or cannot be written to.
    """
    from spikedoor.errors import OutputError
    from spikedoor.files import check_free

    if out is not None:
        yield check_free(out)
        return
    runs = Path("runs")
    existed = runs.exists()
    folder = runs / stem
    try:
        runs.mkdir(exist_ok=True)
        for number in count(1):
            folder = runs / f"{stem}-{number}"
            with suppress(FileExistsError):
                folder.mkdir()
                break
    except OSError as error:
        raise OutputError(f"{folder}: cannot write here ({error.strerror}); name --out") from None
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()
            if not existed:
                runs.rmdir()
