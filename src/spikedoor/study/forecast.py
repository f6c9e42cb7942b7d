"""Why a node has to be made, and how long the rest of a sweep will take."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spikedoor.records import Entry, Store
from spikedoor.study.nodes import Node

__all__ = ["Estimate", "History", "flat"]

_SHOWN = 3
_CALLED = {"before": "the stage before", "stage": "its network", "poison": "its poison"}


@dataclass(frozen=True)
class Estimate:
    """How long some nodes will take.

    Args:
        seconds: Sum over the nodes that could be estimated, of one process.
        unknown: Kinds of which the store has nothing to go by.
    """

    seconds: float
    unknown: tuple[str, ...]


class History:
    """What a store knows of nodes made before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, list[tuple[Entry, dict[str, Any]]]] = {}
        self._near: dict[str, list[tuple[Entry, dict[str, Any]]]] = {}
        for entry in store.entries():
            self._made.setdefault(entry.kind, []).append((entry, flat(entry.config)))

    def why(self, node: Node, todo: dict[str, Node]) -> str:
        """Say in one line why a node is to be made, or that it is not.

        Args:
            node: The node.
            todo: All that is missing; see `schedule.missing`.
        """
        if node.key not in todo:
            return "in the store"
        failure = self._store.failure(node.key)
        if failure is not None:
            return f"failed before: {failure.splitlines()[0]}"
        inputs = [_CALLED[name] for name, inner in node.inputs.items() if inner.key in todo]
        near = self._nearest(node.kind, flat(node.identity()))
        if not near:
            reason = f"there is no '{node.kind}' in the store yet"
        else:
            changed = _differences(flat(node.identity()), near[0][1])
            reason = _told(changed) if changed else "its inputs differ from those of the stored"
        return "; ".join([reason, *([f"{' and '.join(inputs)} must be made"] if inputs else [])])

    def estimate(self, nodes: Iterable[Node]) -> Estimate:
        """Return how long nodes will take, each as long as its nearest relatives in the store.

        Nearest are those of the same kind with the fewest differences in configuration, seeds left
        out; of several the median counts. Time steps scale it.
        """
        seconds, unknown = 0.0, []
        for node in nodes:
            here = flat(node.identity())
            here.pop("seed", None)
            sought = json.dumps([node.kind, here], sort_keys=True)
            if sought not in self._near:
                self._near[sought] = self._nearest(node.kind, here, but="seed")
            near = self._near[sought]
            if not near:
                unknown.append(node.kind)
                continue
            steps = node.config.get("steps", 1)
            seconds += statistics.median(
                entry.seconds * steps / entry.config.get("steps", 1) for entry, _ in near
            )
        return Estimate(seconds, tuple(dict.fromkeys(unknown)))

    def _nearest(
        self, kind: str, here: dict[str, Any], but: str | None = None
    ) -> list[tuple[Entry, dict[str, Any]]]:
        best: list[tuple[Entry, dict[str, Any]]] = []
        least = -1
        for entry, there in self._made.get(kind, []):
            count = len(_differences(here, {k: v for k, v in there.items() if k != but}))
            if least < 0 or count < least:
                best, least = [], count
            if count == least:
                best.append((entry, there))
        return best


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested plain values by dotted key."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else key)
    return found


def _differences(here: dict[str, Any], there: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = dict.fromkeys([*here, *there])
    missing = "nothing"
    return {
        key: (here.get(key, missing), there.get(key, missing))
        for key in keys
        if here.get(key, missing) != there.get(key, missing)
    }


def _told(changed: dict[str, tuple[Any, Any]]) -> str:
    told = [f"{key} is {json.dumps(a)}, not {json.dumps(b)}" for key, (a, b) in changed.items()]
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f"nearest in the store differs: {', '.join(told[:_SHOWN])}{more}"
