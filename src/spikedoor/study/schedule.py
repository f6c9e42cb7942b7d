"""Which node is worked on when: all that is missing, inputs first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from spikedoor.errors import OutputError
from spikedoor.records import Store
from spikedoor.study.engines import Engine
from spikedoor.study.nodes import Node

__all__ = ["Board", "missing", "work_off"]

_PATIENCE = 0.5  # seconds until a node that another process makes is looked at again


@dataclass
class Board:
    """Where a sweep stands.

    Args:
        todo: All nodes that were missing at the start, inputs first.
        running: Since when, by key.
        done: Keys made, by this process or by another.
        failed: Why, by key.
    """

    todo: dict[str, Node]
    running: dict[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def blocked(self) -> dict[str, str]:
        """Return the nodes that wait for a failed one, with that one's key."""
        found: dict[str, str] = {}
        for key, node in self.todo.items():
            for inner in node.inputs.values():
                cause = inner.key if inner.key in self.failed else found.get(inner.key)
                if cause is not None:
                    found[key] = cause
        return found


def missing(leaves: Iterable[Node], store: Store) -> dict[str, Node]:
    """Return what must be made so that all leaves are in the store, inputs first.

    Leaves are read and checked. What lies behind a sound leaf is not looked at; a damaged input of
    a missing node is found, and made again, when it is read.
    """
    needed: dict[str, Node] = {}

    def visit(node: Node, leaf: bool) -> None:
        if not node.stored or node.key in needed:
            return
        if (store.read(node.key) if leaf else store.entry(node.key)) is not None:
            return
        for inner in node.inputs.values():
            visit(inner, False)
        needed[node.key] = node

    for node in leaves:
        visit(node, True)
    return needed


def work_off(
    todo: dict[str, Node], store: Store, engine: Engine, watch: Callable[[Board], None]
) -> Board:
    """Have an engine make all that is to do; a failure stops only what depends on it.

    Args:
        todo: From `missing`.
        store: Where results go, also those of other processes that work on the same.
        engine: Does the work.
        watch: Is shown the board whenever something may have changed.

    Raises:
        OutputError: If the store cannot be written to any more.
    """
    board = Board(todo)
    wanted_by: dict[str, list[Node]] = {}
    waits_for: dict[str, set[str]] = {}
    for node in todo.values():
        waits_for[node.key] = {n.key for n in node.inputs.values() if n.key in todo}
        for key in waits_for[node.key]:
            wanted_by.setdefault(key, []).append(node)
    # In the order of the cells, so that whole cells are done early.
    order = {key: place for place, key in enumerate(todo)}
    ready = [node for node in todo.values() if not waits_for[node.key]]
    elsewhere: dict[str, float] = {}

    def finish(key: str) -> None:
        board.done.add(key)
        for node in wanted_by.get(key, []):
            waits_for[node.key].discard(key)
            if not waits_for[node.key]:
                ready.append(node)

    while ready or board.running or elsewhere:
        now = time.monotonic()
        for key in [key for key, since in elsewhere.items() if now - since > _PATIENCE]:
            del elsewhere[key]
            ready.append(todo[key])
        ready.sort(key=lambda node: order[node.key])
        while ready and len(board.running) < engine.slots:
            node = ready.pop(0)
            board.running[node.key] = time.monotonic()
            engine.submit(node)
        watch(board)
        if not board.running:
            time.sleep(_PATIENCE)
        for outcome in engine.wait(_PATIENCE) if board.running else []:
            del board.running[outcome.key]
            if outcome.ended == "fatal":
                raise OutputError(f"{outcome.reason}; what is done is kept, call again to go on")
            if outcome.ended == "failed":
                board.failed[outcome.key] = outcome.reason
            elif outcome.ended == "done" or store.entry(outcome.key) is not None:
                finish(outcome.key)
            else:
                elsewhere[outcome.key] = time.monotonic()
        watch(board)
    return board
