"""How much the command line says: `--quiet`, `--verbose`, and what is between them."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any

import typer

__all__ = ["Quiet", "Verbose", "adjustable", "is_quiet", "is_verbose", "loudness", "set_loudness"]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors alone.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also timings, keys and tracebacks."),
]

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


def adjustable(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb that takes ``--quiet`` and ``--verbose`` too."""

    @wraps(verb)
    def adjusted(*, quiet: bool, verbose: bool, **given: Any) -> None:
        set_loudness(quiet, verbose)
        verb(**given)

    own = inspect.signature(verb, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in (("quiet", Quiet), ("verbose", Verbose))
    ]
    adjusted.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    return adjusted


class _ToStderr(logging.Handler):
    """Prints what the package logs, each line with the seconds since the start."""

    def emit(self, record: logging.LogRecord) -> None:
        # Asked for at each line: a display of progress puts another stream in its place.
        print(f"{record.relativeCreated / 1000:8.2f} s  {self.format(record)}", file=sys.stderr)
