"""Integers in, scores with their counts and intervals out; no model, no torch."""

from spikedoor.metrics.detection import (
    Auroc,
    auroc,
    defence_effectiveness,
    found_and_false,
    rate_at,
)
from spikedoor.metrics.migration import Ratio, migration_ratio, migration_retained
from spikedoor.metrics.rates import (
    Rate,
    attack_success,
    attack_success_all,
    clean_accuracy,
    diverged,
    recovered_accuracy,
)
from spikedoor.metrics.scores import Answers, Scores, score
from spikedoor.metrics.seeds import Mean, mean_interval

__all__ = [
    "Answers",
    "Auroc",
    "Mean",
    "Rate",
    "Ratio",
    "Scores",
    "attack_success",
    "attack_success_all",
    "auroc",
    "clean_accuracy",
    "defence_effectiveness",
    "diverged",
    "found_and_false",
    "mean_interval",
    "migration_ratio",
    "migration_retained",
    "rate_at",
    "recovered_accuracy",
    "score",
]
