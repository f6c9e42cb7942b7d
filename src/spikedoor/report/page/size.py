"""A page that stays small: what is least important is left out first, and the page says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spikedoor.errors import ConfigError
from spikedoor.report.page.content import Content

__all__ = ["MOST", "fitted"]

MOST = 5_000_000
"""Bytes of a page."""

_SAID = 1000  # bytes for what a section says of what it has not

_ORDER = {
    "players": "recordings that play",
    "traces": "drawings of output neurons",
    "galleries": "galleries",
    "texts": "folded texts",
    "charts": "charts",
    "table": "rows",
}
"""What may go, the first before all others, and what it is called."""

_ELSEWHERE = {
    "charts": "Of a sweep, 'spikedoor figures' draws its charts.",
    "table": "Of a sweep, 'spikedoor table' prints every row.",
}

Size = Callable[[Any], int]


def fitted(content: Content, size: Size, most: int = MOST) -> Content:
    """Return what fits of a page: it loses its last pictures first, its last rows of tables last.

    A section that has lost something says so in ``left``, with how to see it. What stands open,
    such as the command that repeats all, stays.

    Args:
        content: Of the page.
        size: Gives the bytes that a plain value takes.
        most: Bytes that the whole content may take.

    Raises:
        ConfigError: If what cannot be left out does not fit either.
    """
    excess = size(content.to_dict()) - most
    if excess <= 0:
        return content
    excess += _SAID * len(content.sections)
    sections = [dict(section) for section in content.sections]
    lost: list[dict[str, str]] = [{} for _ in sections]
    for part in _ORDER:
        for section, gone in zip(reversed(sections), reversed(lost), strict=True):
            if excess > 0 and section.get(part):
                before = _items(section, part)
                kept, freed = _kept(before, part, size, excess)
                excess -= freed
                if len(kept) < len(before):
                    gone[part] = f"{len(before) - len(kept):,} of {len(before):,} {_ORDER[part]}"
                    section[part] = {**section[part], "rows": kept} if part == "table" else kept
    if excess > 0:
        raise ConfigError(
            f"the page would be {(excess + MOST) / 1e6:.1f} MB without all that can be left out, "
            f"expected at most {MOST / 1e6:.1f} MB; report fewer runs, or part of the sweep (--set)"
        )
    for section, gone in zip(sections, lost, strict=True):
        if gone:
            section["left"] = " ".join(
                [
                    f"Left out, to keep this page below {MOST / 1e6:.0f} MB: "
                    f"{', '.join(gone.values())}. A page of fewer runs, or of part of a sweep "
                    "(--set), has them.",
                    *(told for part, told in _ELSEWHERE.items() if part in gone),
                ]
            )
    return replace(content, sections=tuple(sections))


def _items(section: dict[str, Any], part: str) -> list[Any]:
    return section[part]["rows"] if part == "table" else section[part]


def _kept(items: list[Any], part: str, size: Size, excess: int) -> tuple[list[Any], int]:
    """Return the items without the last ones, as many as make up for the excess, and their size."""
    kept, freed = list(items), 0
    for i in reversed(range(len(items))):
        if freed >= excess:
            break
        if not (part == "texts" and items[i].get("open")):
            freed += size(kept.pop(i))
    return kept, freed
