"""Conditions on rows, written as text: ``attack.rate>=0.05``, ``T in 4,8,16``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from spikedoor.errors import ConfigError
from spikedoor.records.columns import Value

__all__ = ["Condition"]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARISON = re.compile(
    r"\s*(?P<column>[^\s=!<>]+)\s*(?P<sign>!=|<=|>=|==?|<|>)\s*(?P<value>[^\s=!<>].*)", re.DOTALL
)
_MEMBERSHIP = re.compile(r"\s*(?P<column>[^\s=!<>]+)\s+in\s+(?P<value>\S.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A column, a sign, and what its cells are compared with.

    A number is compared as a number, text as text, and true and false as such. The word ``none``
    is equal to a cell without a value, which is neither smaller nor greater than anything. In a
    column with numbers and text, a number is neither smaller nor greater than a text.
    """

    column: str
    sign: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a condition.

        Raises:
            ConfigError: If it has none of the forms, which it tells.
        """
        if found := _COMPARISON.fullmatch(text):
            sign = "=" if found["sign"] == "==" else found["sign"]
            return cls(found["column"], sign, (found["value"].strip(),))
        if found := _MEMBERSHIP.fullmatch(text):
            values = _split(found["value"])
            if all(values):
                return cls(found["column"], "=", values)
        raise ConfigError(
            f"condition '{text}': expected 'column=value' with one of {' '.join(_OPERATORS)}, "
            "or 'column in value,value'"
        )

    def hold(self, cells: Sequence[Value]) -> list[bool]:
        """Return for each cell of the column whether the condition holds.

        Raises:
            ConfigError: If the column has only numbers, or only true and false, and the condition
                compares them with something else.
        """
        kinds = {_kind(cell) for cell in cells if cell is not None}
        self._check(kinds)
        return [any(self._holds(cell, wanted, kinds) for wanted in self.values) for cell in cells]

    def _check(self, kinds: set[type]) -> None:
        for kind, name in ((float, "numbers"), (bool, "true and false")):
            for wanted in self.values:
                if kinds == {kind} and not _is_none(wanted) and _read(wanted, kind) is None:
                    raise ConfigError(
                        f"condition on '{self.column}': it holds {name}, got '{wanted}'"
                    )

    def _holds(self, cell: Value, wanted: str, kinds: set[type]) -> bool:
        if cell is None:
            return (
                _is_none(wanted) if self.sign == "=" else self.sign == "!=" and not _is_none(wanted)
            )
        value = _read(wanted, _kind(cell))
        if value is None:
            return self.sign == "!="
        apart = kinds == {float, str} and isinstance(cell, str) and _read(wanted, float) is not None
        if apart and self.sign not in ("=", "!="):
            return False
        return _OPERATORS[self.sign](cell, value)


def _split(text: str) -> tuple[str, ...]:
    """Split at commas outside brackets, as ``percentile(p=99, per=channel)`` is one value."""
    items, depth = [""], 0
    for character in text:
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
        if character == "," and not depth:
            items.append("")
        else:
            items[-1] += character
    return tuple(item.strip() for item in items)


def _kind(cell: Value) -> type:
    if isinstance(cell, (bool, str)):
        return type(cell)
    return float


def _is_none(wanted: str) -> bool:
    return wanted.lower() == "none"


def _read(wanted: str, kind: type) -> Value:
    """Return what was written as a value of a kind; None where it is not one."""
    if kind is bool:
        return {"true": True, "false": False}.get(wanted.lower())
    return _number(wanted) if kind is float else wanted


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return None if math.isnan(number) else number
    return None
