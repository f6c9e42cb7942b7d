"""From scores to the columns of a table: each measure with its limits and its count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from spikedoor.metrics import Auroc, Mean, Rate, Ratio, Scores

__all__ = ["DETECTION", "MEASURES", "REPAIR", "companied", "described", "mean", "scores_of"]

MEASURES = (
    "clean_accuracy",
    "attack_success",
    "clean_model",
    "attack_success_all",
    "recovered_accuracy",
    "migration_ratio",
    "migration_retained",
    "firing_rate",
    "firing_rate_triggered",
)
"""Columns with a value, and with ``.low``, ``.high`` and ``.count`` beside it."""

DETECTION = ("auroc", "found_at_1", "found_at_5", "found", "false_alarms", "twin_false_alarms")
"""The same of a detector, in rows of the stage that it looks at."""

REPAIR = ("effectiveness", "operations")
"""The same of an eliminator, in rows of the repaired stage."""


def scores_of(victim: Scores | None, twin: Scores | None, rates: dict[str, Mean]) -> dict[str, Any]:
    """Return the columns of `MEASURES`, from scores of victim and twin and from firing rates."""
    found: dict[str, Any] = {}
    for name in MEASURES:
        owner, field = (twin, "attack_success") if name == "clean_model" else (victim, name)
        found |= companied(name, rates.get(name) or getattr(owner, field, None))
    return found


def companied(name: str, value: Rate | Ratio | Mean | Auroc | float | None) -> dict[str, Any]:
    """Return a measure with its companions; a plain number has no interval."""
    if value is None or isinstance(value, (int, float)):
        return {name: value, **{f"{name}.{part}": None for part in ("low", "high", "count")}}
    parts = described(value)
    return {name: parts.pop("value"), **{f"{name}.{part}": one for part, one in parts.items()}}


def described(value: Rate | Ratio | Mean | Auroc) -> dict[str, Any]:
    """Return value, limits and count; None for what is not finite."""
    low, high = map(_finite, value.interval)
    return {"value": _finite(value.value), "low": low, "high": high, "count": value.count}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, None where a value is missing."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
