"""The verbs about what there is: list, show."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikedoor.cli.output import print_json, say
from spikedoor.cli.presets import list_presets, show_preset

if TYPE_CHECKING:
    from spikedoor.component import Component
    from spikedoor.registry import Family

__all__ = ["KINDS", "family", "list_members", "show"]

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

KINDS = {
    "datasets": "spikedoor.data.source:DATASETS",
    "triggers": "spikedoor.attack.triggers.base:TRIGGERS",
    "label-rules": "spikedoor.attack.labels:LABELS",
    "networks": "spikedoor.snn.networks:NETWORKS",
    "layers": "spikedoor.snn.networks.layers:LAYERS",
    "neurons": "spikedoor.snn.neurons:NEURONS",
    "surrogates": "spikedoor.snn.surrogate:SURROGATES",
    "encodings": "spikedoor.snn.encoding:ENCODINGS",
    "readouts": "spikedoor.snn.readout:READOUTS",
    "rules": "spikedoor.rules.base:RULES",
    "activations": "spikedoor.snn.rectifiers:RECTIFIERS",
    "converters": "spikedoor.rules.conversion.base:CONVERTERS",
    "losses": "spikedoor.rules.losses:LOSSES",
    "optimisers": "spikedoor.rules.optimisers:OPTIMISERS",
    "schedules": "spikedoor.rules.optimisers:SCHEDULES",
    "augmentations": "spikedoor.rules.optimisers:AUGMENTATIONS",
    "defences": "spikedoor.defences.base:DEFENCES",
}

_PRESETS = "presets"

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def family(kind: str) -> Family:
    """Return the family of a kind, named in the plural or the singular."""
    from spikedoor.errors import ConfigError, hint

    plural = {"loss": "losses"}.get(kind, f"{kind}s")
    for name in (kind, plural):
        if name in KINDS:
            module, _, variable = KINDS[name].partition(":")
            return getattr(import_module(module), variable)
    raise ConfigError(f"unknown kind '{kind}'{hint(kind, (*KINDS, _PRESETS))}")


def list_members(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Such as triggers or rules.")
    ] = None,
    json: Json = False,
) -> None:
    """List the kinds, or what there is of one."""
    if kind is None:
        from spikedoor.study import presets

        counts = {name: len(family(name).names()) for name in KINDS}
        counts[_PRESETS] = len(presets())
        if json:
            print_json(counts)
            return
        for name, count in counts.items():
            say(f"{name:15}{count:3}")
        return
    if kind in (_PRESETS, "preset"):
        list_presets(json)
        return
    members = family(kind)
    found = [(name, members[name]) for name in members.names()]
    if json:
        print_json(
            [
                {"name": name, "summary": cls.summary(), "source": cls.card.source}
                for name, cls in found
            ]
        )
        return
    wide = max((len(name) for name, _ in found), default=0)
    for name, cls in found:
        source = f"  ({cls.card.source})" if cls.card.source else ""
        say(f"{name:{wide}}  {_plain(cls.summary())}{source}")


def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Such as trigger or rule.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One that `list KIND` names.")],
    json: Json = False,
) -> None:
    """Show a component: parameters, source, TOML."""
    if kind in (_PRESETS, "preset"):
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
        say(f"  {one.key} = {one.default}    {one.kind}".rstrip())
        for line in one.description.splitlines():
            say(f"      {_plain(line.strip())}")
    if cls.card.source or cls.card.link:
        say(f"\nSource: {'  '.join(filter(None, (cls.card.source, cls.card.link)))}")
    say(f"\nTOML:\n\n{snippet(members.kind, cls)}")


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
