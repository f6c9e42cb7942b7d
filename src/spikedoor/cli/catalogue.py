"""The verbs about what there is: list, show."""

from __future__ import annotations

import inspect
import os
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikedoor.cli.names import (
    KINDS,
    PRESETS,
    complete_kind,
    complete_member,
    members,
    singular,
)
from spikedoor.cli.output import print_json, say, say_entry
from spikedoor.cli.presets import list_presets, show_preset
from spikedoor.study.toml import presets

if TYPE_CHECKING:
    from spikedoor.component import Component
    from spikedoor.registry import Family

__all__ = ["KINDS", "family", "home", "list_members", "show"]

LIST_EXAMPLES = """\b
Examples:
  spikedoor list
  spikedoor list triggers
  spikedoor list presets
"""
SHOW_EXAMPLES = """\b
Examples:
  spikedoor show trigger patch
  spikedoor show rules hybrid
  spikedoor show preset badnets-pytorch-mnist
"""

_TASKS = {"data": "in data", "input": "in inputs", "model": "in models", "eliminate": "repairs"}

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def family(kind: str) -> Family:
    """Return the family of a kind, named in the plural or the singular."""
    from spikedoor.errors import ConfigError, hint

    for name, place in KINDS.items():
        if kind in (name, singular(name)):
            module, _, variable = place.partition(":")
            return getattr(import_module(module), variable)
    raise ConfigError(f"unknown kind '{kind}'{hint(kind, (*KINDS, PRESETS))}")


def list_members(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="Such as triggers or rules.", autocompletion=complete_kind
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the kinds, or what there is of one."""
    if kind is None:
        counts = _counts()
        if json:
            print_json(counts)
            return
        for name, count in counts.items():
            say(f"{name:15}{count:3}")
        return
    if kind in (PRESETS, singular(PRESETS)):
        list_presets(json)
        return
    members = family(kind)
    found = [(name, members[name]) for name in members.names()]
    if json:
        print_json(
            [
                {"name": name, "summary": cls.summary(), "source": cls.card.source}
                | ({"task": task} if (task := getattr(cls, "task", None)) else {})
                for name, cls in found
            ]
        )
        return
    wide = max((len(name) for name, _ in found), default=0)
    for name, cls in found:
        source = f"  ({cls.card.source})" if cls.card.source else ""
        task = getattr(cls, "task", None)
        where = f"{_TASKS[task]:11}" if task else ""
        say_entry(f"{name:{wide}}  {where}", f"{_plain(cls.summary())}{source}")


def _counts() -> dict[str, int]:
    """Return how many there are of each kind; without others' code our source tells at once."""
    from importlib.metadata import entry_points

    from spikedoor.plugins import VARIABLE

    others = os.environ.get(VARIABLE) or any(
        group.startswith("spikedoor.") for group in entry_points().groups
    )
    counts = {kind: len(family(kind).names() if others else members(kind)) for kind in KINDS}
    return {**counts, PRESETS: len(presets())}


def show(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="Such as trigger or rule.", autocompletion=complete_kind
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="One that `list KIND` names.", autocompletion=complete_member
        ),
    ],
    json: Json = False,
) -> None:
    """Show a component: parameters, source, TOML."""
    if kind in (PRESETS, singular(PRESETS)):
        show_preset(name, json)
        return
    members = family(kind)
    cls = members[name]
    if json:
        print_json(_card(members, cls))
        return
    from spikedoor.cli.parameters import parameters, snippet

    say(f"{members.kind} {name}")
    say()
    say(_plain(inspect.getdoc(cls) or ""))
    found = parameters(cls)
    if found:
        say("\nParameters:")
    for one in found:
        say_entry("  ", f"{one.key} = {one.default}    {one.kind}".rstrip())
        if one.description:
            say_entry("      ", _plain(" ".join(one.description.split())))
    if cls.card.source or cls.card.link:
        say(f"\nSource: {'  '.join(filter(None, (cls.card.source, cls.card.link)))}")
    if not cls.__module__.startswith("spikedoor_plugin_"):
        say(f"\nPython: from {home(cls)} import {cls.__name__}")
    say(f"\nTOML:\n\n{snippet(members.kind, cls)}")


def home(cls: type[Component]) -> str:
    """Return the outermost package that has a class among its public names."""
    parts = cls.__module__.split(".")
    packages = (".".join(parts[:depth]) for depth in range(2, len(parts)))
    public = (one for one in packages if cls.__name__ in getattr(import_module(one), "__all__", ()))
    return next(public, cls.__module__)


def _card(members: Family, cls: type[Component]) -> dict[str, Any]:
    from spikedoor.cli.parameters import parameters, snippet

    return {
        "kind": members.kind,
        "name": cls.name,
        "description": inspect.getdoc(cls) or "",
        "source": cls.card.source,
        "link": cls.card.link,
        "parameters": [one._asdict() for one in parameters(cls)],
        "toml": snippet(members.kind, cls),
    }


def _plain(text: str) -> str:
    """Return a docstring's text without the marks of literals."""
    return text.replace("``", "'")
