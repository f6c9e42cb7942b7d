"""Comparisons that atheris follows, without the memory that it loses at each.

Instrumented code hands every comparison to `atheris._trace_cmp`. Of atheris 3.0.0 it keeps a
reference to what is returned for ever: no matter where that is a bool, but of arrays it is an
array. It follows only numbers and texts, so that others are compared here instead.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import atheris
from atheris.version_dependent import CMP_OP_SHIFT_AMOUNT

__all__ = ["let_go"]

_FOLLOWED = int, bytes, str
_OPERATORS = operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge


@cache
def let_go() -> None:
    """Keep nothing that comparisons return. Call it from a target: `atheris.Fuzz` undoes it."""
    follow = atheris._trace_cmp

    def compare(left: Any, right: Any, kind: int, place: int, constant: bool) -> Any:
        if isinstance(left, _FOLLOWED) and isinstance(right, _FOLLOWED):
            return follow(left, right, kind, place, constant)
        return _OPERATORS[kind >> CMP_OP_SHIFT_AMOUNT](left, right)

    atheris._trace_cmp = compare
