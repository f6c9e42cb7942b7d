"""Integers in, scores with their counts and intervals out; no model, no torch."""

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
    "Mean",
    "Rate",
    "Ratio",
    "Scores",
    "attack_success",
    "attack_success_all",
    "clean_accuracy",
    "diverged",
    "mean_interval",
    "migration_ratio",
    "migration_retained",
    "recovered_accuracy",
    "score",
]
