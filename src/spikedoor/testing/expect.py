"""How a check says what is broken; it needs no test framework, and works under ``python -O``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from spikedoor.component import Component
from spikedoor.errors import ConfigError

__all__ = ["Check", "instance", "refused", "run", "that"]

M = TypeVar("M", bound=Component)

Check = Callable[[Any], None]
"""Takes a member and raises `AssertionError` if it breaks what the docstring says."""


def that(condition: object, reason: str) -> None:
    """Raise an `AssertionError` with the reason unless the condition holds."""
    if not condition:
        raise AssertionError(reason)


@contextmanager
def refused(what: str, pattern: str = "") -> Iterator[None]:
    """Expect the block to raise a `ConfigError` whose text the pattern is found in."""
    try:
        yield
    except ConfigError as error:
        found = str(error)
        that(
            re.search(pattern, found),
            f"{what}: expected a message that matches {pattern!r}, got {found!r}",
        )
    else:
        raise AssertionError(f"{what}: expected a ConfigError, got none")


def instance(member: M | type[M], base: type[M]) -> M:
    """Return a member; of a class, the one with default fields."""
    made: Any = member() if isinstance(member, type) else member
    that(isinstance(made, base), f"expected a {base.__name__}, got {made!r}")
    return made


def run(checks: Sequence[Check], member: Component) -> None:
    """Put a member to every check.

    Raises:
        AssertionError: Naming the member, what it must keep, and how it breaks it.
    """
    who = f"{member.family.kind} '{member.name}'"
    for check in checks:
        rule = (inspect.getdoc(check) or check.__name__).split("\n", 1)[0].rstrip(".")
        try:
            check(member)
        except AssertionError as error:
            raise AssertionError(f"{who}: {rule[0].lower()}{rule[1:]}: {error}") from error
        except Exception as error:
            error.add_note(f"raised while {who} was checked: {rule}")
            raise
