"""What a page says, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Content", "cell", "filled", "point"]

_PARTS = ("table", "charts", "galleries", "players", "traces", "texts")


@dataclass(frozen=True)
class Content:
    """What a page says.

    Args:
        title: Of the page.
        question: What was asked, in a sentence.
        verdict: What came out, in one or two.
        sections: Each with a title, and any of a note, a table, charts, galleries, players, traces
            and texts, as the scripts draw them.
    """

    title: str
    question: str
    verdict: str
    sections: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "sections": list(self.sections)}


def filled(sections: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the sections that have something to show."""
    return tuple(one for one in sections if any(one.get(part) for part in _PARTS))


def cell(
    value: float | None, low: float | None = None, high: float | None = None, count: Any = None
) -> dict[str, Any] | None:
    """Return a share as a cell of a table, with its interval and count in small print."""
    if value is None:
        return None
    limits = "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]"
    small = " ".join(filter(None, (limits, "" if count is None else f"n={count}")))
    return {"value": value, "text": f"{100 * value:.1f} %", "small": small}


def point(
    x: float, y: float, low: float | None = None, high: float | None = None, about: str = ""
) -> dict[str, Any]:
    """Return a share as a point of a chart, with what is told where one points at it."""
    low, high = (y if low is None else low), (y if high is None else high)
    told = f"{100 * y:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    return {"x": x, "y": y, "low": low, "high": high, "told": f"{about}: {told}" if about else told}
