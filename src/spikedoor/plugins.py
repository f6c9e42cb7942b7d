"""Python files of the user's own, whose components join ours.

A file is code, and runs with the user's rights. So it is named on the command line (``--plugin``),
in the variable ``SPIKEDOOR_PLUGINS``, or from Python, and nowhere else: no experiment, sweep,
record or model can name one.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from spikedoor.errors import PluginError, SpikedoorError

__all__ = ["VARIABLE", "add", "explained", "files", "load", "load_named"]

VARIABLE = "SPIKEDOOR_PLUGINS"
"""Environment variable with files to load, separated as in ``PATH``; processes that work on a
sweep inherit it."""


def add(path: str | Path) -> Path:
    """Name a file that is loaded where a family's members are first asked for, here and in workers.

    Raises:
        PluginError: If there is no such file.
    """
    file = _found(path)
    named = files()
    if str(file) not in named:
        os.environ[VARIABLE] = os.pathsep.join([*named, str(file)])
    return file


def load(path: str | Path) -> None:
    """Run a file now, unless it has been, and name it for workers as `add` does.

    Raises:
        PluginError: If there is no such file, or it fails; in one line, with where.
    """
    _run(add(path))


def load_named() -> None:
    """Run every file that is named and has not been run in this process.

    Raises:
        PluginError: As `load` does, or if a path is relative: which file it is must not depend on
            the folder that one happens to be in.
    """
    for path in files():
        if not Path(path).expanduser().is_absolute():
            raise PluginError(f"{VARIABLE}: expected absolute paths, got '{path}'")
        _run(_found(path))


@contextmanager
def explained(what: str, file: Path | None = None) -> Iterator[None]:
    """Put whatever the code of others raises into one line.

    Raises:
        PluginError: What it is, the line of the file if it has one there, and the error.
    """
    try:
        yield
    except SyntaxError as error:
        at = f", line {error.lineno}" if error.filename == str(file) else f", {error.filename}"
        raise PluginError(f"{what}{at}: {type(error).__name__}: {error.msg}") from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file)]
        at = f", line {lines[-1]}" if lines else ""
        kind = "" if isinstance(error, SpikedoorError) else f"{type(error).__name__}: "
        torch = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        out = "; table, report and figures of a sweep do without it" if torch else ""
        raise PluginError(f"{what}{at}: {kind}{error}{out}") from error


def files() -> list[str]:
    """Return the files that are named, in order."""
    return [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]


def _found(path: str | Path) -> Path:
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "no such file"
        raise PluginError(f"plug-in {path}: expected a Python file, found {kind}")
    if file.suffix != ".py":
        raise PluginError(f"plug-in {path}: expected a Python file that ends in .py")
    return file


def _run(file: Path) -> None:
    if any(_file_of(module) == str(file) for module in list(sys.modules.values())):
        return  # imported by the user, or run before
    name = f"spikedoor_plugin_{file.stem}_{sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # components look their annotations and docstrings up there
    try:
        with explained(f"plug-in {file}", file):
            spec.loader.exec_module(module)
    except PluginError:
        del sys.modules[name]
        raise


def _file_of(module: object) -> object:
    return getattr(module, "__dict__", {}).get("__file__")
