"""A preset run for several seeds, and held against the numbers published for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spikedoor.errors import ConfigError, hint
from spikedoor.records import Store, Table
from spikedoor.study.campaign import Campaign
from spikedoor.study.preset import Expected, Preset
from spikedoor.study.sweep import Sweep

__all__ = ["Comparison", "compare", "reproduction"]

Verdict = Literal["within", "outside", "missing"]


@dataclass(frozen=True)
class Comparison:
    """A published number beside the measured one.

    Args:
        expected: The published one.
        measured: Mean over the seeds; None where a run is missing or diverged.
        interval: Its 95 % interval, of the spread between seeds; with one seed, of its test
            samples.
        runs: Number of seeds that have a value.
        reason: Why there is no value; empty if there is.
    """

    expected: Expected
    measured: float | None
    interval: tuple[float | None, float | None]
    runs: int
    reason: str

    @property
    def difference(self) -> float | None:
        """Measured - published."""
        return None if self.measured is None else self.measured - self.expected.value

    @property
    def verdict(self) -> Verdict:
        """Whether the difference is within the tolerance."""
        if self.difference is None:
            return "missing"
        # Binary fractions must not decide: 0.95 is within 0.05 of 1.
        inside = abs(self.difference) <= self.expected.tolerance + 1e-12
        return "within" if inside else "outside"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        low, high = self.interval
        return {
            **self.expected.to_dict(),
            "measured": self.measured,
            "low": low,
            "high": high,
            "runs": self.runs,
            "difference": self.difference,
            "verdict": self.verdict,
            "reason": self.reason,
        }


def reproduction(preset: Preset, store: Store, seeds: Iterable[int] | None = None) -> Campaign:
    """Plan the runs of a preset; what the store has is not made again.

    Args:
        preset: The preset.
        store: Where results are kept.
        seeds: One run for each; the preset's own seed by default.

    Raises:
        ConfigError: If a published number is of a stage that the rule does not have.
        DataError: If the data set is missing or bad.
    """
    stages = [phase.stage for phase in preset.rule.phases()]
    for one in preset.expected:
        if one.stage not in stages:
            raise ConfigError(
                f"expected: rule '{preset.rule.name}' has no stage '{one.stage}'"
                f"{hint(one.stage, stages)}"
            )
    wanted = (preset.seed,) if seeds is None else tuple(seeds)
    return Campaign.of(Sweep(base=preset.experiment.to_dict(), seeds=wanted), store)


def compare(expected: Iterable[Expected], rows: Iterable[Mapping[str, Any]]) -> list[Comparison]:
    """Hold published numbers against the rows of the runs; see `results.rows`.

    A number is missing unless every run has it, so that a run that failed is not left out.
    """
    means = {row["stage"]: row for row in Table.of(rows).mean(by=["stage"], over=["seed"]).rows}
    return [_compared(one, means[one.stage]) for one in expected]


def _compared(expected: Expected, row: Mapping[str, Any]) -> Comparison:
    name = expected.measure
    value, low, high, count = (row[f"{name}{part}"] for part in ("", ".low", ".high", ".count"))
    total = row["runs"] + row["missing"]
    if count < total:
        reason = row["reason"] or f"undefined in {total - count} of {total} runs"
        return Comparison(expected, None, (None, None), count, reason)
    return Comparison(expected, value, (low, high), count, "")
