"""Draw a plan: which samples get the trigger, from the labels alone, without model or images."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.labels import LabelRule, Labels
from spikedoor.attack.plan import PoisonPlan, poison_count
from spikedoor.errors import ConfigError, DataError, hint
from spikedoor.rng import generator

__all__ = ["Candidates", "make_plan"]

Candidates = Literal["all", "non-target", "target"]


def make_plan(
    labels: Labels,
    rate: float,
    rule: LabelRule,
    classes: int,
    seed: int,
    candidates: Candidates = "all",
    cover: float = 0.0,
) -> PoisonPlan:
    """Draw floor(rate * N) samples without replacement, and give them their targets.

    It depends on nothing but its arguments. Plans nest: with all else equal, the samples of a
    smaller rate are among those of a larger one, because both take the head of one permutation.

    Args:
        labels: int64 [N], the true labels of the training set.
        rate: Share of the whole training set, 0 to 1.
        rule: Gives the targets.
        classes: Number of classes.
        seed: Seed of the draw.
        candidates: Draw from ``all`` samples; from ``non-target`` ones, whose true label is not
            their target; or from ``target`` ones, which are of a wanted class already and so keep
            their true label (clean-label poisoning).
        cover: Share of the whole training set that carries the trigger and keeps its label, drawn
            from what the rule allows and the poison leaves.

    Raises:
        ConfigError: If a rate or the seed is not valid, or there are too few candidates.
        DataError: If the labels are not a list of classes.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"expected integer labels [N], got {labels.dtype} {list(labels.shape)}")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"labels reach from {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
        )
    for name, share in (("rate", rate), ("cover", cover)):
        if not 0 <= share <= 1:
            raise ConfigError(f"{name}: expected a number from 0 to 1, got {share!r}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed: expected a whole number from 0 on, got {seed!r}")
    if candidates not in get_args(Candidates):
        raise ConfigError(
            f"unknown candidates '{candidates}'{hint(candidates, get_args(Candidates))}"
        )
    labels, total = labels.astype(np.int64), len(labels)
    wanted = rule.targets(labels, classes)
    pool = np.flatnonzero(_candidates(labels, wanted, candidates))
    count = poison_count(rate, total)
    _check_enough("rate", rate, count, total, pool, f"candidates ({candidates})")
    chosen = np.sort(generator(seed, "poison plan").permutation(pool)[:count])

    free = np.flatnonzero(rule.may_cover(labels, classes))
    order = generator(seed, "cover samples").permutation(free)
    order = order[~np.isin(order, chosen)]
    count = poison_count(cover, total)
    _check_enough("cover", cover, count, total, order, "left that may keep their label")
    covered = np.sort(order[:count])
    return PoisonPlan(chosen, wanted[chosen], total, float(rate), int(seed), covered, float(cover))


def _candidates(labels: Labels, wanted: Labels, candidates: Candidates) -> NDArray[np.bool_]:
    """Return which samples may be poisoned, bool [N]."""
    turned = wanted != labels
    if candidates == "non-target":
        return turned
    if candidates == "target":
        return ~turned & np.isin(labels, wanted[turned])
    return np.ones(len(labels), dtype=np.bool_)


def _check_enough(name: str, rate: float, count: int, total: int, pool: Labels, what: str) -> None:
    if count > len(pool):
        raise ConfigError(
            f"{name} {rate:g} asks for {count} of {total} samples, but only {len(pool)} are "
            f"{what}; {name} can be {np.floor(1e6 * len(pool) / total) / 1e6:g} at most"
        )
