"""Options that stand before the verb or after it: --quiet, --verbose, --plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from spikedoor.cli.loudness import set_loudness

__all__ = ["Plugin", "Quiet", "Verbose", "everywhere", "heed"]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors alone.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also timings, keys and tracebacks."),
]
Plugin = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="Run a Python file with components of your own."),
]
_UntoldPlugin = Annotated[list[Path] | None, typer.Option("--plugin", hidden=True)]


def heed(quiet: bool, verbose: bool, plugin: list[Path] | None) -> None:
    """Do as these options say, from now on.

    Raises:
        ConfigError: If it is to be both quiet and verbose.
        PluginError: If there is no such file.
    """
    set_loudness(quiet, verbose)
    if plugin:
        from spikedoor.plugins import add

        for file in plugin:
            add(file)


def everywhere(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb that takes these options too; its help tells the first two."""

    @wraps(verb)
    def heeding(*, quiet: bool, verbose: bool, plugin: list[Path] | None, **given: Any) -> None:
        heed(quiet, verbose, plugin)
        verb(**given)

    own = inspect.signature(verb, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in (
            ("quiet", Quiet, False),
            ("verbose", Verbose, False),
            ("plugin", _UntoldPlugin, None),
        )
    ]
    heeding.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    return heeding
