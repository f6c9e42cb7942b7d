"""A node: one stage of a study, with a key that tells whether its result is there already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spikedoor.registry import code_of

__all__ = ["VERSIONS", "Node", "walk"]

VERSIONS = {
    "data": 1,
    "poison": 1,
    "trigger": 1,
    "ann": 1,
    "direct": 1,
    "converted": 2,
    "finetuned": 1,
    "answers": 2,
    "activity": 1,
    "operations": 1,
    "repaired": 1,
    "detection": 1,
}
"""Of each kind; raise it when the code of a stage gives other results than before."""


@dataclass(frozen=True, eq=False)
class Node:
    """A stage of a study.

    Its key is the SHA-256 of kind, version, configuration and the keys of its inputs. So equal keys
    mean equal results (on one kind of processor), and a change anywhere changes the keys of all
    that depends on it and of nothing else. Where the configuration names components that are not
    ours, their files count as well.

    Args:
        kind: One of `VERSIONS`.
        config: Plain values of all that decides the result, besides the inputs.
        inputs: By name, the nodes it is made from.
        means: Plain values that are needed to make it and do not decide the result, such as where
            the data lie; not part of the key.
    """

    kind: str
    config: dict[str, Any]
    inputs: dict[str, Node] = field(default_factory=dict)
    means: dict[str, Any] = field(default_factory=dict)
    code: dict[str, str] = field(init=False)
    """By name, the SHA-256 of the files of components that are not ours."""

    def __post_init__(self) -> None:
        rule = self.means.get("rule", {}).get("name")  # decides how, and is in no configuration
        object.__setattr__(self, "code", code_of([self.config, {"name": rule}]))

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits."""
        keys = {name: node.key for name, node in self.inputs.items()}
        parts = [self.kind, VERSIONS[self.kind], self.config, keys]
        if self.code:
            parts.append(self.code)
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def stored(self) -> bool:
        """Whether its result is kept; data are not, as their files are."""
        return self.kind != "data"

    @property
    def short(self) -> str:
        """Kind, the first digits of the key, seed, and whether there is poison, for people."""
        seed = f" seed {self.config['seed']}" if "seed" in self.config else ""
        poisoned = any(node.kind == "poison" for node in walk(self)) and self.kind != "poison"
        return f"{self.kind} {self.key[:8]}{seed}{' poisoned' if poisoned else ''}"

    def identity(self) -> dict[str, Any]:
        """Return what the store writes down of it: version, configuration, and others' code."""
        code = {"code": self.code} if self.code else {}
        return {"version": VERSIONS[self.kind], **self.config, **code}


def walk(node: Node) -> Iterator[Node]:
    """Yield a node after all that it is made from, each once."""
    seen: set[str] = set()

    def visit(one: Node) -> Iterator[Node]:
        if one.key in seen:
            return
        seen.add(one.key)
        for inner in one.inputs.values():
            yield from visit(inner)
        yield one

    yield from visit(node)
