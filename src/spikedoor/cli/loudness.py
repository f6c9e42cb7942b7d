"""How much the command line says: `--quiet`, `--verbose`, and what is between them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_quiet", "is_verbose", "loudness", "set_loudness"]

_quiet: ContextVar[bool] = ContextVar("spikedoor_quiet", default=False)
_verbose: ContextVar[bool] = ContextVar("spikedoor_verbose", default=False)

_log = logging.getLogger("spikedoor")


def is_quiet() -> bool:
    """Whether to print results and errors alone."""
    return _quiet.get()


def is_verbose() -> bool:
    """Whether to print all there is."""
    return _verbose.get()


@contextmanager
def loudness() -> Iterator[None]:
    """Let verbs be quiet or verbose while the block runs; after it all is as before."""
    handler, level = _ToStderr(), _log.level
    _log.addHandler(handler)
    quiet, verbose = _quiet.set(False), _verbose.set(False)
    try:
        yield
    finally:
        if is_quiet():
            from spikedoor.progress import silent

            silent.set(False)
        _quiet.reset(quiet)
        _verbose.reset(verbose)
        _log.setLevel(level)
        _log.removeHandler(handler)


def set_loudness(quiet: bool, verbose: bool) -> None:
    """Take the wishes of one command; those of the command above it stay.

    Raises:
        ConfigError: If it is to be both quiet and verbose.
    """
    if (quiet or is_quiet()) and (verbose or is_verbose()):
        from spikedoor.errors import ConfigError

        raise ConfigError("expected --quiet or --verbose, got both")
    if quiet:
        from spikedoor.progress import silent

        _quiet.set(True)
        silent.set(True)
    if verbose:
        _verbose.set(True)
        _log.setLevel(logging.DEBUG)


class _ToStderr(logging.Handler):
    """Prints what the package logs, each line with the seconds since the start."""

    def emit(self, record: logging.LogRecord) -> None:
        # Asked for at each line: a display of progress puts another stream in its place.
        print(f"{record.relativeCreated / 1000:8.2f} s  {self.format(record)}", file=sys.stderr)
