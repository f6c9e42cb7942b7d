"""What an engine offers, and the one task that all engines carry out."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from spikedoor.errors import OutputError, SpikedoorError
from spikedoor.records import Store
from spikedoor.study.nodes import Node
from spikedoor.study.workshop import Workshop

__all__ = ["Engine", "Outcome", "carry_out"]


@dataclass(frozen=True)
class Outcome:
    """How the work on a node ended.

    Args:
        key: Of the node.
        ended: "done"; "failed"; "busy" if another process makes the same; or "fatal" if nothing
            can be written any more, so that going on is of no use.
        reason: One line that says why, unless it is done.
    """

    key: str
    ended: Literal["done", "failed", "busy", "fatal"] = "done"
    reason: str = ""


class Engine(ABC):
    """Does the work on nodes, several at a time.

    Args:
        slots: How many nodes it works on at a time.
    """

    slots: int = 1

    @abstractmethod
    def submit(self, node: Node) -> None:
        """Begin the work on a node whose inputs are in the store."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has ended, after at most so many seconds if nothing has."""

    @abstractmethod
    def close(self) -> None:
        """Stop at once. Work under way is lost, the store stays whole."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def carry_out(node: Node, workshop: Workshop) -> Outcome:
    """Make the result of a node and put it into the store, unless another process does.

    Why it failed is noted in the store.
    """
    store = workshop.store
    assert store is not None
    try:
        with store.claim(node.key) as mine:
            if not mine:
                return Outcome(node.key, "busy")
            workshop.result(node)
        return Outcome(node.key)
    except OutputError as error:
        return Outcome(node.key, "fatal", str(error))
    except SpikedoorError as error:
        return _failed(node, store, str(error))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return _failed(node, store, reason, traceback.format_exc())


def _failed(node: Node, store: Store, reason: str, details: str = "") -> Outcome:
    reason = " ".join(reason.split())
    with suppress(SpikedoorError):
        store.note_failure(node.key, f"{reason}\n{details}".rstrip())
    return Outcome(node.key, "failed", reason)
