"""The default engine: in this process, one node after the other."""

from __future__ import annotations

from spikedoor.study.engines.base import Engine, Outcome, carry_out
from spikedoor.study.nodes import Node
from spikedoor.study.workshop import Workshop

__all__ = ["InProcess"]


class InProcess(Engine):
    """Works in this process.

    Args:
        workshop: With a store; data sets it has read serve here too.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._waiting: list[Node] = []

    def submit(self, node: Node) -> None:
        self._waiting.append(node)

    def wait(self, seconds: float) -> list[Outcome]:
        waiting, self._waiting = self._waiting, []
        return [carry_out(node, self._workshop) for node in waiting]

    def close(self) -> None:
        self._waiting.clear()
