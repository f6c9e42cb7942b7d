"""Names that a shell completes. They are read from our source, since to import it takes seconds."""

from __future__ import annotations

import re
from glob import escape, glob
from pathlib import Path

import typer

from spikedoor.study.toml import presets

__all__ = ["KINDS", "PRESETS", "complete_data", "complete_defence", "complete_experiment",
           "complete_kind", "complete_member", "members", "singular"]  # fmt: skip

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
"""Where the family of each kind of component is."""

PRESETS = "presets"
"""The one kind that is no family: files that come with the package."""

_PACKAGE = Path(__file__).parents[1]


def singular(kind: str) -> str:
    """Return what one of a kind is called."""
    return {"losses": "loss"}.get(kind, kind.removesuffix("s"))


def members(kind: str) -> list[str]:
    """Return the names of our own components of a kind, by the decorators in the source.

    Those of plug-ins and of other packages are known to those alone who run them.
    """
    module, _, variable = KINDS[kind].partition(":")
    room = _PACKAGE / module.split(".")[1]
    entered = re.compile(rf'^@{variable}\.register\(\s*"([^"]+)"', re.MULTILINE)
    texts = (path.read_text("utf-8") for path in room.rglob("*.py"))
    return sorted(name for text in texts for name in entered.findall(text))


def complete_kind() -> list[str]:
    """Return what may stand after ``list``."""
    return [*KINDS, PRESETS]


def complete_member(context: typer.Context) -> list[str]:
    """Return the names of the kind that is on the line already."""
    asked = context.params.get("kind")
    if asked in (PRESETS, singular(PRESETS)):
        return list(presets())
    return [name for kind in KINDS if asked in (kind, singular(kind)) for name in members(kind)]


def complete_defence() -> list[str]:
    """Return the names of defences."""
    return members("defences")


def complete_data() -> list[str]:
    """Return the names of data sets."""
    return members("datasets")


def complete_experiment(incomplete: str) -> list[str]:
    """Return files and presets; nothing has the shell look for folders itself."""
    return [*sorted(glob(f"{escape(incomplete)}*.toml")), *presets()]
