"""Errors a user can cause. Each says what was expected, what came, and the nearest valid choice."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

__all__ = [
    "ConfigError",
    "DataError",
    "MissingDataError",
    "OutputError",
    "PluginError",
    "SpikedoorError",
    "hint",
    "reason",
]


class SpikedoorError(Exception):
    """Base of every error that is the user's to mend; the command line prints it as one line."""

    exit_code: ClassVar[int] = 1


class ConfigError(SpikedoorError, ValueError):
    """A name, key, value or combination of them is not valid."""

    exit_code = 2


class OutputError(SpikedoorError):
    """An output folder is occupied, read-only or cannot be made."""

    exit_code = 2


class PluginError(SpikedoorError):
    """The code of a plug-in is not there or fails; whatever needs a component stops there."""

    exit_code = 2


class DataError(SpikedoorError):
    """A data file is truncated, wrong or malicious."""

    exit_code = 3


class MissingDataError(DataError):
    """A data set is not there."""


def hint(name: str, choices: Iterable[str], listed: bool = True) -> str:
    """Return ``"; did you mean 'x'?"`` for a near miss, else the choices if wanted."""
    names = sorted(choices)
    near = get_close_matches(str(name).lower(), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names)}" if names and listed else ""


def reason(error: BaseException) -> str:
    """Return in words why a file could not be read, for what Python and its libraries raise."""
    if isinstance(error, OSError) and error.strerror:
        at = f"{Path(error.filename).name}: " if isinstance(error.filename, str | Path) else ""
        return at + error.strerror
    if isinstance(error, KeyError) and error.args:
        return f"{error.args[0]!r} is missing"
    if isinstance(error, (TypeError, AttributeError)):
        return "not of the form that was expected"
    return " ".join(str(error).split())[:300] or type(error).__name__
