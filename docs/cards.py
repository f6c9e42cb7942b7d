"""Cards of the methods, made from the components themselves: the directive ``{cards} KIND``.

A card is a section: the docstring, a table of the fields with defaults and ranges, the source, the
class, and TOML with all defaults. What it says is what `spikedoor show` says.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from spikedoor.cli.catalogue import family, home
from spikedoor.cli.parameters import Parameter, parameters, snippet

if TYPE_CHECKING:
    from spikedoor.component import Component

__all__ = ["card", "setup"]

# `Needs:` with text behind it, or `Deviations:` with an indented block below it.
SECTION = re.compile(r"^([A-Z][a-z]+(?: [a-z]+)?):(?: (.*)|)$")
TASKS = {
    "data": "Finds poisoned samples in the training set.",
    "input": "Finds triggered inputs while the model is in use.",
    "model": "Tells whether a model has a backdoor, and of which class.",
    "eliminate": "Returns a repaired model.",
}
KINDS_OF_SAMPLES = {
    "image": "images",
    "event": "recordings of events",
    "frame": "frames of counts",
}
NOT_OF_USERS = ("Args", "Raises", "Example", "Returns")


def card(kind: str, cls: type[Component]) -> str:
    """Return the card of a member below its title, as Markdown."""
    parts = [f"*{said}*" for said in facts(cls)]
    parts.append(prose(inspect.getdoc(cls) or ""))
    found = parameters(cls)
    if found:
        parts.append(fields(found))
    card = cls.card
    if card.source or card.link:
        said = card.source or card.link
        parts.append(f"**Source**: {f'[{said}]({card.link})' if card.link else said}")
    parts.append(f"**In Python**: {{py:class}}`{home(cls)}.{cls.__name__}`")
    parts.append(f"```toml\n{snippet(kind, cls)}\n```")
    return "\n\n".join(parts)


def facts(cls: Any) -> list[str]:
    """Return what a class says of itself outside its fields and its docstring."""
    if cls.family.kind == "trigger":
        return [f"Marks {KINDS_OF_SAMPLES[cls.modality]}."]
    if cls.family.kind == "defence":
        return [TASKS[cls.task]]
    return []


def prose(docstring: str) -> str:
    """Return a Google docstring as Markdown; sections that speak to programmers are left out."""
    told: list[str] = []
    blocks = re.split(r"\n(?=[A-Z][a-z]+(?: [a-z]+)?:(?: |$))", docstring, flags=re.MULTILINE)
    for block in blocks:
        first, _, rest = block.partition("\n")
        heading = SECTION.match(first)
        if heading is None:
            told.append(marked(block))
        elif heading[1] not in NOT_OF_USERS:
            body = inspect.cleandoc(f"{heading[2] or ''}\n{rest}")
            told.append(f"**{heading[1]}**: {marked(body)}")
    return "\n\n".join(told)


def marked(text: str) -> str:
    """Return text with literals as Markdown has them and links that can be clicked."""
    text = re.sub(r"(?<![`<(])(https?://[^\s,;)]*[^\s,;.):])", r"<\1>", text)
    return re.sub(r"(?m)^(\s*)\* ", r"\1- ", text)


def fields(found: list[Parameter]) -> str:
    """Return a table of parameters."""
    lines = ["| field | default | takes | meaning |", "|---|---|---|---|"]
    for one in found:
        cells = (f"`{one.key}`", f"`{one.default}`", one.kind, marked(one.description))
        lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
    return "\n".join(lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


class Cards(SphinxDirective):
    """Put the cards of all members of a family here."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        members = family(kind)
        return [self._section(members.kind, members[name]) for name in members.names()]

    def _section(self, kind: str, cls: type[Component]) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(f"{kind} {cls.name}")], names=[cls.name])
        section += nodes.title(text=cls.name)
        section += self.parse_text_to_nodes(card(kind, cls))
        return section


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx of the directive."""
    app.add_directive("cards", Cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
